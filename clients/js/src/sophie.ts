// A client: what a program says and hears, whatever becomes of its connections.

import type { Answer } from './answer.js';
import type { Events } from './events.js';
import type { State } from './line.js';
import { randomName } from './names.js';
import type { Options } from './options.js';
import type { Sending, SendOptions, Sent } from './outbox.js';
import type { Presence } from './presence.js';
import type { Ack, History, LoggedEvent, LogHead, Members, Reply, SessionReady } from './protocol.js';
import { Session } from './session.js';
import { Typist } from './typist.js';

// How long an answer may take to begin.
const BEGIN_MS = 30_000;

export class Sophie {
  /** Where a script of a page came from: the default for `url`. */
  static origin: string | undefined;
  /** Its name. One session is one conversation. */
  readonly session: string;
  /** The session's own group. */
  readonly home: string;
  #parts: Session;
  #typist = new Typist();

  constructor(options: Options = {}) {
    this.session = options.session ?? randomName(22);
    this.#parts = new Session(options.url ?? Sophie.origin ?? '', this.session, options);
    this.home = this.#parts.groups.home;
  }

  /** How the connection is doing. */
  get state(): State {
    return this.#parts.line.state;
  }

  /** Who this is, as the server says; empty before it was connected. */
  get user(): string {
    return this.#parts.last?.user ?? '';
  }

  /** The groups that this session is in, its own first. */
  get groups(): string[] {
    return this.#parts.groups.names;
  }

  /** The answers that are being written. */
  get answers(): Answer[] {
    return this.#parts.answers.running;
  }

  /** What was said and is not confirmed yet, oldest first. */
  get sending(): readonly Sending[] {
    return this.#parts.outbox.items;
  }

  /** Calls the handler for every event of this type, until the function that is returned is called. */
  on<K extends keyof Events>(type: K, handler: (event: Events[K]) => void): () => void {
    return this.#parts.emitter.on(type, handler);
  }

  /** As `on`, for the next event alone. */
  once<K extends keyof Events>(type: K, handler: (event: Events[K]) => void): () => void {
    return this.#parts.emitter.once(type, handler);
  }

  /**
   * Connects, and stays connected: again and again until `close`, or until the server ends the session. Resolves when the session is ready;
   * rejects if it ends before that. Need not be awaited. While a next attempt is waited for, it is made at once.
   */
  connect(): Promise<SessionReady> {
    return this.#parts.connect();
  }

  /** Looks after the connection now: makes the next attempt, or asks whether the server is still there. Pages of browsers do it by themselves. */
  wake(): void {
    this.#parts.line.wake();
  }

  /** Ends all of it: what waits is rejected with `closed`. `connect` begins anew. */
  close(): void {
    if (this.state.phase !== 'closed') this.#parts.line.stop(1000, 'This client was closed.');
  }

  /** Says something. It is kept until the server has it, over lost connections too, and is said once. */
  send(text: string, options: SendOptions = {}): Promise<Sent> {
    return this.#parts.outbox.add(options.id ?? this.#parts.nextId(), options.group ?? this.home, text, options);
  }

  /** Takes back a message that is not under way just now, by its id; says whether it is certain that it was not said. */
  withdraw(id: string): boolean {
    return this.#parts.outbox.withdraw(id);
  }

  /** Asks something: the answer, as soon as it begins. `timeoutMs` (30,000) is how long it may take to begin. */
  async ask(text: string, { timeoutMs = BEGIN_MS, ...options }: Omit<SendOptions, 'assistant'> & { timeoutMs?: number } = {}): Promise<Answer> {
    const { message } = await this.send(text, options);
    return this.#parts.answers.to(message, timeoutMs);
  }

  /** Ends an answer; what was written stays. */
  cancel(answer: Answer | string): Promise<Ack> {
    const id = typeof answer === 'string' ? answer : answer.id;
    return this.#parts.commands.ask<Ack>('answer.cancel', { answer: id }, { again: true });
  }

  /** Asks for another answer to a message. */
  retry(message: string): Promise<Ack> {
    return this.#parts.commands.ask<Ack>('answer.retry', { message });
  }

  /** Becomes a member of a group, and stays one. */
  join(group: string): Promise<Ack> {
    return this.#parts.groups.join(group);
  }

  leave(group: string): Promise<Ack> {
    return this.#parts.groups.leave(group);
  }

  /** Who is in a group just now. */
  members(group: string = this.home): Promise<Members> {
    return this.#parts.commands.ask<Members>('group.members', { group }, { again: true });
  }

  /** Who is in a group, kept up to date: the event `presence` tells of each change. `stop()` it when it is no longer shown. */
  presence(group: string = this.home): Presence {
    return this.#parts.presence(group);
  }

  /** Tells the others that somebody is typing here. To be called as often as one likes. */
  typing(group: string = this.home): void {
    if (this.#typist.may(group)) this.#parts.commands.tell('group.typing', { group });
  }

  /** What was logged, oldest first: the newest `limit` (1 to 100, 50 by default), or those before a `seq`. */
  history(group: string = this.home, { before, limit }: { before?: number; limit?: number } = {}): Promise<History> {
    return this.#parts.history(group, { before, limit });
  }

  /** All of what is logged, newest first, read as it is asked for. */
  async *past(group: string = this.home): AsyncGenerator<LoggedEvent, void, undefined> {
    let before: number | undefined;
    for (;;) {
      const { events, more } = await this.#parts.history(group, { limit: 100, before });
      yield* [...events].reverse();
      const oldest = events[0];
      if (!more || !oldest) return;
      before = oldest.seq;
    }
  }

  /** What somebody thinks of an answer (-1 or 1), or of the whole chat (1 to 5). */
  feedback(rating: number, { answer, text }: { answer?: Answer | string; text?: string } = {}): Promise<Ack> {
    const id = typeof answer === 'object' ? answer.id : answer;
    return this.#parts.commands.ask<Ack>('feedback', { rating, answer: id, text }, { again: true });
  }

  /** Asks for a person, where the service offers that. */
  askForPerson({ group, text }: { group?: string; text?: string } = {}): Promise<Ack> {
    return this.#parts.commands.ask<Ack>('person.ask', { group, text }, { again: true });
  }

  /** Who answers in a group: the assistant, or a person who has taken over; and whether the group waits for one. */
  standing(group: string = this.home): { assistant: boolean; asked: boolean } {
    const { standings } = this.#parts;
    return { assistant: standings.assistant(group), asked: standings.asked(group) };
  }

  /** Any command of the protocol, for what has no method here. It is not sent again after a lost connection. */
  command<R extends Reply = Ack>(type: string, fields: Record<string, unknown> = {}): Promise<R> {
    return this.#parts.commands.ask<R>(type, fields);
  }

  /** Where a group's log was read to. */
  position(group: string = this.home): LogHead | undefined {
    const head = this.#parts.groups.head(group);
    return head && { ...head };
  }
}
