// One WebSocket at a time: when to connect, how to tell that it lives, and when to come back.

import type { Access } from './access.js';
import { explain, handshake } from './address.js';
import { Backoff } from './backoff.js';
import { ABNORMAL, BAD_TOKEN, type Ending, ending, OVERLOADED } from './closing.js';
import type { Command, LogHead, ServerEvent, SessionClosing, SessionReady } from './protocol.js';
import { Timers } from './timers.js';

const PONG_WAIT_MS = 10_000;
const READY_WAIT_MS = 15_000;
// A connection has to last this long before the next failure counts as the first one again.
const STABLE_AFTER_MS = 5_000;
const ERROR_WAIT_MS = 50;

/**
 * How the connection is doing. `code` is the close code of the last one; or the HTTP status, when the server refused to connect and said why;
 * else 0.
 */
export type State =
  | { phase: 'idle' }
  | { phase: 'connecting'; /** How many attempts in a row have failed. */ attempt: number }
  | { phase: 'open' }
  | { phase: 'waiting'; attempt: number; /** When the next attempt comes, in milliseconds since 1970. */ retryAt: number; code: number; reason: string }
  | { phase: 'closed'; code: number; reason: string };

/** As much of a WebSocket as is used. */
export interface Socket {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

export type SocketClass = new (url: string, protocols: string[]) => Socket;

export interface LineOptions {
  endpoint: string;
  access: Access;
  socket: SocketClass;
  backoff: Backoff;
  /** Where to resume from. */
  since(): LogHead | undefined;
  ready(event: SessionReady): void;
  heard(event: ServerEvent): void;
  lost(end: Ending): void;
  state(state: State): void;
}

export class Line {
  state: State = { phase: 'idle' };
  #options: LineOptions;
  #socket: Socket | null = null;
  #timers = new Timers();
  #goodbye: SessionClosing | null = null;
  #notBefore = 0;
  #pingIntervalMs = 25_000;
  // Each attempt has a number: what comes of an earlier one is of no concern any more.
  #turn = 0;
  #asking: AbortController | null = null;

  constructor(options: LineOptions) {
    this.#options = options;
  }

  /** Connects at once, however long it was to wait. */
  start(): void {
    if (this.state.phase === 'open' || this.state.phase === 'connecting') return;
    this.#options.backoff.reset();
    this.#notBefore = 0;
    this.#dial();
  }

  stop(code: number, reason: string): void {
    this.#drop();
    this.#say({ phase: 'closed', code, reason });
  }

  /** The network is back, or somebody looks at the page again: do not wait for a timer to find out. */
  wake(): void {
    if (this.state.phase === 'waiting' && Date.now() >= this.#notBefore) this.#dial();
    else if (this.state.phase === 'open') this.#ping();
  }

  transmit(frame: Command): void {
    this.#socket?.send(JSON.stringify(frame));
  }

  #dial(): void {
    this.#drop();
    const { access, backoff } = this.#options;
    const turn = this.#turn;
    this.#timers.set('ready', READY_WAIT_MS, () => this.#ended(0, 'The server did not answer in time.', false));
    this.#say({ phase: 'connecting', attempt: backoff.attempt });
    if (turn !== this.#turn) return;
    access.token().then(
      (token) => {
        if (turn !== this.#turn) return;
        if (token === null) this.#final({ code: BAD_TOKEN, reason: 'There is no token for this user.', final: true, retryInMs: 0 });
        else this.#open(token);
      },
      (fault) => {
        if (turn === this.#turn) this.#ended(0, `The token could not be got: ${fault instanceof Error ? fault.message : String(fault)}`, true);
      },
    );
  }

  #open(token: string): void {
    const { url, protocols } = handshake(this.#options.endpoint, token, this.#options.since());
    let socket: Socket;
    try {
      socket = new this.#options.socket(url, protocols);
    } catch (fault) {
      const reason = `This address cannot be connected to: ${fault instanceof Error ? fault.message : String(fault)}`;
      this.#final({ code: 0, reason, final: true, retryInMs: 0 });
      return;
    }
    this.#socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
    };
    socket.onmessage = ({ data }: { data: unknown }) => this.#receive(data);
    // The close that follows tells more; but Node's does not follow where the handshake failed. Without a handler some implementations throw.
    socket.onerror = () => {
      if (socket === this.#socket) this.#timers.set('error', ERROR_WAIT_MS, () => this.#ended(ABNORMAL, '', opened));
    };
    socket.onclose = ({ code, reason }: { code: number; reason?: unknown }) => this.#ended(code, String(reason ?? ''), opened);
  }

  #receive(data: unknown): void {
    let event: ServerEvent;
    try {
      event = JSON.parse(String(data)) as ServerEvent;
    } catch {
      return;
    }
    this.#heard();
    if (event.type === 'session.closing') this.#goodbye = event;
    if (event.type === 'session.ready') this.#ready(event);
    else this.#options.heard(event);
  }

  #ready(event: SessionReady): void {
    const { access, backoff, ready } = this.#options;
    this.#timers.clear('ready');
    this.#timers.set('stable', STABLE_AFTER_MS, () => backoff.reset());
    access.accepted(event.expires_in_ms);
    this.#pingIntervalMs = event.ping_interval_ms || this.#pingIntervalMs;
    this.#heard();
    const turn = this.#turn;
    this.state = { phase: 'open' };
    ready(event);
    if (turn === this.#turn) this.#options.state(this.state);
  }

  // Any frame proves that the connection lives; silence makes us ask.
  #heard(): void {
    this.#timers.clear('pong');
    if (this.#socket) this.#timers.set('ping', this.#pingIntervalMs, () => this.#ping());
  }

  #ping(): void {
    if (this.#timers.has('pong')) return;
    this.transmit({ type: 'ping' });
    this.#timers.set('pong', PONG_WAIT_MS, () => this.#ended(0, 'The server does not answer any more.', true));
  }

  #ended(code: number, reason: string, opened: boolean): void {
    const end = ending(code, reason, this.#goodbye);
    const { access, backoff } = this.#options;
    if (end.code === BAD_TOKEN && access.renew()) Object.assign(end, { final: false });
    if (end.final) {
      this.#final(end);
      return;
    }
    this.#drop();
    this.#options.lost(end);
    const turn = this.#turn;
    const delay = backoff.next(end.retryInMs, end.code === OVERLOADED);
    this.#notBefore = Date.now() + end.retryInMs;
    this.#wait(delay, end.code, end.reason);
    if (turn === this.#turn && !opened && backoff.attempt > 1) void this.#explain();
  }

  #final(end: Ending): void {
    this.#drop();
    this.#options.lost(end);
    this.stop(end.code, end.reason);
  }

  #wait(delay: number, code: number, reason: string): void {
    this.#timers.set('retry', delay, () => this.#dial());
    this.#say({ phase: 'waiting', attempt: this.#options.backoff.attempt, retryAt: Date.now() + delay, code, reason });
  }

  // A refused handshake shows nothing but that it failed: why is asked over plain HTTP.
  async #explain(): Promise<void> {
    const turn = this.#turn;
    const { access, endpoint } = this.#options;
    this.#asking = new AbortController();
    const why = await explain(endpoint, access.current, this.#asking.signal).catch(() => null);
    if (!why || turn !== this.#turn) return;
    if (why.status === 401) {
      if (access.renew()) this.#dial();
      else this.stop(why.status, why.reason);
    } else if (why.status === 403) {
      this.stop(why.status, why.reason);
    } else if (this.state.phase === 'waiting') {
      this.#notBefore = Date.now() + why.retryInMs;
      this.#wait(why.retryInMs || Math.max(0, this.state.retryAt - Date.now()), why.status, why.reason);
    }
  }

  // Lets go of the socket. A dead one may take minutes to close, so its end is not waited for.
  #drop(): void {
    this.#turn += 1;
    this.#timers.clearAll();
    this.#asking?.abort();
    this.#asking = null;
    this.#goodbye = null;
    this.#options.access.disconnected();
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #say(state: State): void {
    this.state = state;
    this.#options.state(state);
  }
}
