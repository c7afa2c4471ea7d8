// Commands that wait for their one reply, and before it for a connection. What does no harm twice is sent again after a lost one.

import { SophieError } from './errors.js';
import type { Command, ErrorEvent, Reply } from './protocol.js';

// How many may wait.
const MOST = 256;

interface Waiting {
  frame: Command;
  again: boolean;
  sent: boolean;
  done: ((reply: Reply) => void) | undefined;
  timer: ReturnType<typeof setTimeout>;
  promise: Promise<Reply>;
  resolve: (reply: Reply) => void;
  reject: (error: SophieError) => void;
}

export interface AskOptions<R extends Reply> {
  /** Whether it may be carried out twice. */
  again?: boolean;
  /** Told before any event that follows the reply: a promise is told later. */
  done?: (reply: R) => void;
}

export class Commands {
  #waiting = new Map<string, Waiting>();
  #online = false;
  #closed: SophieError | null = null;
  #transmit: (frame: Command) => void;
  #nextId: () => string;
  #timeoutMs: number;

  constructor(transmit: (frame: Command) => void, nextId: () => string, timeoutMs: number) {
    this.#transmit = transmit;
    this.#nextId = nextId;
    this.#timeoutMs = timeoutMs;
  }

  ask<R extends Reply>(type: string, fields: Record<string, unknown>, { again = false, done }: AskOptions<R> = {}): Promise<R> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#waiting.size >= MOST) return Promise.reject(new SophieError('queue_full', `${MOST} commands wait already.`));
    const id = this.#nextId();
    const timer = setTimeout(() => this.#end(id)?.reject(new SophieError('timeout', `No reply to ${type} came in time.`)), this.#timeoutMs);
    const waiting = { frame: { type, id, ...fields }, again, sent: false, done, timer } as unknown as Waiting;
    waiting.promise = new Promise((resolve, reject) => Object.assign(waiting, { resolve, reject }));
    this.#waiting.set(id, waiting);
    if (this.#online) this.#send(waiting);
    return waiting.promise as Promise<R>;
  }

  /** A command whose loss does no harm, and that nobody waits for. */
  tell(type: string, fields: Record<string, unknown>): void {
    if (this.#online) this.#transmit({ type, ...fields });
  }

  connected(): void {
    this.#online = true;
    for (const waiting of [...this.#waiting.values()]) if (!waiting.sent) this.#send(waiting);
  }

  disconnected(): void {
    this.#online = false;
    for (const [id, waiting] of [...this.#waiting]) {
      if (!waiting.sent) continue;
      if (waiting.again) waiting.sent = false;
      else this.#end(id)?.reject(new SophieError('disconnected', 'The connection was lost before the reply came.'));
    }
  }

  /** Hands an event to who waits for it; says whether anybody did. */
  settle(event: Reply | ErrorEvent): boolean {
    const waiting = event.id === undefined ? undefined : this.#end(event.id);
    if (!waiting) return false;
    if (event.type === 'error') {
      waiting.reject(new SophieError(event.code, event.message, event.retry_after_ms));
    } else {
      waiting.done?.(event);
      waiting.resolve(event);
    }
    return true;
  }

  /** Commands may wait for a connection again. */
  open(): void {
    this.#closed = null;
  }

  /** None is answered any more. */
  close(error: SophieError): void {
    this.#online = false;
    this.#closed = error;
    for (const id of [...this.#waiting.keys()]) {
      const waiting = this.#end(id);
      // Who did not wait for it has nothing to hear of its end.
      waiting?.promise.catch(() => {});
      waiting?.reject(error);
    }
  }

  #send(waiting: Waiting): void {
    waiting.sent = true;
    this.#transmit(waiting.frame);
  }

  #end(id: string): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    clearTimeout(waiting?.timer);
    this.#waiting.delete(id);
    return waiting;
  }
}
