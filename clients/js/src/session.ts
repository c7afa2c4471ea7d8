// The parts of a client, put together: what becomes of each frame, of each connection and of each end.

import { Access } from './access.js';
import { endpoint } from './address.js';
import { Answers } from './answers.js';
import { Backoff } from './backoff.js';
import { type Ending, TOO_LARGE } from './closing.js';
import { Commands } from './commands.js';
import { Emitter } from './emitter.js';
import { SophieError } from './errors.js';
import type { Events } from './events.js';
import { Groups, type StaleReason } from './groups.js';
import { Line, type SocketClass, type State } from './line.js';
import { randomName } from './names.js';
import type { Options } from './options.js';
import { Outbox } from './outbox.js';
import { Presence } from './presence.js';
import type { History, ServerEvent, SessionReady } from './protocol.js';
import { Standings } from './standings.js';
import { wakeups } from './wakeups.js';

// The protocol's default for one frame: 12 bytes for each of 16,000 characters, and 16 KiB.
const MAX_FRAME_BYTES = 208_384;
const MAX_QUEUED = 100;
const TIMEOUT_MS = 30_000;

interface Connecting {
  promise: Promise<SessionReady>;
  resolve: (event: SessionReady) => void;
  reject: (error: SophieError) => void;
}

export class Session {
  readonly emitter = new Emitter<Events>();
  readonly line: Line;
  readonly commands: Commands;
  readonly outbox: Outbox;
  readonly groups: Groups;
  readonly answers: Answers;
  readonly standings: Standings;
  readonly presences = new Map<string, Presence>();
  /** What was told at the last connect. */
  last: SessionReady | null = null;
  #prefix = randomName(8);
  #counter = 0;
  #connecting: Connecting | null = null;
  #unhear: () => void = () => {};

  constructor(url: string, session: string, options: Options) {
    const socket = options.WebSocket ?? (globalThis as { WebSocket?: unknown }).WebSocket;
    if (!socket) throw new TypeError('There is no WebSocket here. Pass one: new Sophie({ WebSocket }).');
    const { emitter } = this;
    const transmit = this.#transmit.bind(this);
    this.commands = new Commands(transmit, () => this.nextId(), options.timeoutMs ?? TIMEOUT_MS);
    this.outbox = new Outbox({
      transmit,
      changed: () => emitter.emit('sending', this.outbox.items),
      most: options.maxQueued ?? MAX_QUEUED,
      maxFrameBytes: options.maxFrameBytes ?? MAX_FRAME_BYTES,
    });
    this.answers = new Answers({
      began: (answer) => emitter.emit('answer', answer),
      grew: (answer, text) => emitter.emit('answer.delta', { answer, text }),
      thought: (answer, text) => emitter.emit('answer.reasoning', { answer, text }),
      ended: (answer) => {
        emitter.emit('answer.end', answer);
        this.outbox.freed();
      },
    });
    this.standings = new Standings({
      assistant: (event) => emitter.emit('assistant', event),
      person: (event) => emitter.emit('person', event),
    });
    this.groups = new Groups(session, options.groups ?? [], this.commands, {
      stale: (group, reason) => this.#stale(group, reason),
      joined: (group) => emitter.emit('joined', { group }),
      left: (group) => this.#left(group),
      stands: (group, standing) => this.standings.stands(group, standing),
      failed: (group, error) => emitter.emit('error', new SophieError(error.code, `${group} could not be joined again: ${error.message}`)),
    });
    this.line = new Line({
      endpoint: endpoint(url, session),
      access: new Access(options.token, options.getToken, (token) => this.commands.ask('auth.refresh', { token })),
      socket: socket as SocketClass,
      backoff: new Backoff(options.backoff),
      since: () => this.groups.head(this.groups.home),
      ready: (event) => this.#ready(event),
      heard: (event) => this.#heard(event),
      lost: (end) => this.#lost(end),
      state: (state) => this.#changed(state),
    });
  }

  connect(): Promise<SessionReady> {
    if (this.line.state.phase === 'open' && this.last) return Promise.resolve(this.last);
    this.#connecting ??= deferred();
    const { promise } = this.#connecting;
    this.commands.open();
    this.outbox.open();
    this.#unhear();
    this.#unhear = wakeups(() => this.line.wake());
    this.line.start();
    return promise;
  }

  history(group: string, more: { before?: number | undefined; limit?: number | undefined }): Promise<History> {
    return this.commands.ask<History>('history.get', { group, ...more }, { again: true });
  }

  presence(group: string): Presence {
    const known = this.presences.get(group);
    if (known) return known;
    const changed = (presence: Presence) => this.emitter.emit('presence', presence);
    const presence = new Presence(group, this.commands, changed, () => this.presences.delete(group));
    this.presences.set(group, presence);
    return presence;
  }

  nextId(): string {
    this.#counter += 1;
    return `${this.#prefix}-${this.#counter}`;
  }

  #transmit(frame: { type: string }): void {
    this.line.transmit(frame);
  }

  #ready(event: SessionReady): void {
    this.last = event;
    this.emitter.emit('frame', event);
    this.answers.ready(event.answers);
    this.emitter.emit('ready', event);
    this.groups.ready(event);
    // A handler may have closed all of it.
    if (this.line.state.phase !== 'open') return;
    this.answers.resume(event.answers);
    for (const presence of this.presences.values()) presence.soon();
    this.commands.connected();
    this.outbox.connected();
    this.#connecting?.resolve(event);
    this.#connecting = null;
  }

  #heard(event: ServerEvent): void {
    const { emitter } = this;
    emitter.emit('frame', event);
    switch (event.type) {
      case 'ack':
        if (!this.commands.settle(event)) this.outbox.acknowledged(event);
        break;
      case 'error':
        if (!this.commands.settle(event) && !this.outbox.refused(event))
          emitter.emit('error', new SophieError(event.code, event.message, event.retry_after_ms));
        break;
      case 'history':
      case 'group.members':
      case 'pong':
        this.commands.settle(event);
        break;
      case 'log.reset':
        this.groups.reset(event);
        break;
      case 'message':
        if (this.groups.follow(event.group, event.seq)) emitter.emit('message', event);
        break;
      case 'answer.start':
      case 'answer.delta':
      case 'answer.reasoning':
        this.answers.take(event);
        break;
      case 'answer.end':
      case 'answer.error':
        // One that is still waited for ends, whatever else was heard of its log meanwhile.
        if (this.groups.follow(event.group, event.seq) || this.answers.isRunning(event.answer)) this.answers.take(event);
        break;
      case 'group.joined':
      case 'group.left':
        this.presences.get(event.group)?.membership(event);
        emitter.emit('members', event);
        this.groups.membership(event);
        break;
      case 'typing':
        emitter.emit('typing', event);
        break;
      case 'assistant':
        this.standings.turned(event);
        break;
      case 'person':
        this.standings.wanted(event);
        break;
      case 'event':
        emitter.emit('event', event);
        break;
      default:
      // What a later version of the server says is seen by `frame` alone.
    }
  }

  #lost({ code }: Ending): void {
    if (code === TOO_LARGE) this.outbox.tooLarge();
    this.commands.disconnected();
    this.outbox.disconnected();
    this.groups.disconnected();
  }

  #changed(state: State): void {
    if (state.phase === 'closed') this.#end(new SophieError('closed', state.reason));
    this.emitter.emit('state', state);
  }

  #end(error: SophieError): void {
    this.#unhear();
    this.#unhear = () => {};
    this.commands.close(error);
    this.outbox.close(error);
    this.answers.close(error);
    this.groups.disconnected();
    for (const presence of [...this.presences.values()]) presence.stop();
    this.#connecting?.reject(error);
    this.#connecting = null;
  }

  #stale(group: string, reason: StaleReason): void {
    this.answers.stale(group);
    this.emitter.emit('stale', { group, reason, read: (limit) => this.history(group, { limit }) });
  }

  #left(group: string): void {
    this.answers.left(group);
    this.standings.left(group);
    this.presences.get(group)?.stop();
    this.emitter.emit('left', { group });
  }
}

function deferred(): Connecting {
  const made = {} as Connecting;
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  // Who does not await it is told by `state`.
  made.promise.catch(() => {});
  return made;
}
