// What was said and is not confirmed yet. One message of a group is under way at a time, so that their order holds whatever fails;
// each is sent again with the same id until it is acknowledged or refused.

import { SophieError } from './errors.js';
import type { Ack, Command, ErrorEvent, Image } from './protocol.js';

const RESEND_MS = 20_000;
const LONGEST_BACKOFF_MS = 15_000;
// The server knows an id for ten minutes: after that, sending again might say it twice.
const SAFE_RETRY_MS = 9.5 * 60_000;
// Faults of the server that are tried again at most.
const MOST_FAULTS = 5;

export interface SendOptions {
  /** The session's own by default. */
  group?: string;
  /** Whether the assistant is to answer: true by default. */
  assistant?: boolean;
  /** Shown with the text, where the service takes images (`ai.images`). */
  images?: Image[];
  metadata?: Record<string, unknown>;
  /** First ends the answers that are being written there to this user. */
  steer?: boolean;
  /** Says it once, however often it is sent with this id within ten minutes. At random by default. */
  id?: string;
  /** Whether a refusal of the moment (`rate_limited`, `busy`) is waited out: by default it is told. */
  wait?: boolean | ((error: SophieError) => boolean);
}

/** A message was logged. */
export interface Sent {
  id: string;
  group: string;
  seq: number;
  /** Its id in the log. */
  message: string;
  /** The limits that near their end. */
  limits?: Ack['limits'];
}

/** A message that is not confirmed yet. */
export interface Sending {
  readonly id: string;
  readonly group: string;
  readonly text: string;
  readonly assistant: boolean;
  /** `queued` waits for the connection, for the one before it, or for `delayedBy`. */
  readonly state: 'queued' | 'sent';
  /** Why it was not taken at the last attempt; it is sent again. */
  readonly delayedBy: SophieError | null;
  /** When it is sent again, in milliseconds since 1970; 0 if that waits for something else than time. */
  readonly retryAt: number;
}

interface Item {
  id: string;
  group: string;
  text: string;
  assistant: boolean;
  state: 'queued' | 'sent';
  delayedBy: SophieError | null;
  retryAt: number;
  frame: Command;
  waits: (error: SophieError) => boolean;
  // Whether the server is asked even while it is known to take nothing.
  held: boolean;
  failures: number;
  notBefore: number;
  firstSentAt: number;
  promise: Promise<Sent>;
  resolve: (sent: Sent) => void;
  reject: (error: SophieError) => void;
}

export interface OutboxOptions {
  transmit(frame: Command): void;
  changed(): void;
  most: number;
  maxFrameBytes: number;
}

export class Outbox {
  #items: Item[] = [];
  #online = false;
  #closed: SophieError | null = null;
  // Until then the server takes nothing from this user: asking would only be refused.
  #heldUntil = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #options: OutboxOptions;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** What waits, in the order in which it was said. */
  get items(): readonly Sending[] {
    return this.#items;
  }

  add(id: string, group: string, text: string, options: SendOptions): Promise<Sent> {
    const known = this.#items.find((item) => item.id === id);
    if (known) return known.promise;
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#items.length >= this.#options.most)
      return Promise.reject(new SophieError('queue_full', `${this.#options.most} messages wait to be sent already.`));
    const { assistant = true, images, metadata, steer, wait = false } = options;
    // Half of a surrogate pair is no text: the server would refuse the whole frame.
    const sound = text.toWellFormed?.() ?? text;
    const frame: Command = { type: 'message.send', id, group, text: sound, assistant };
    if (images?.length) frame.images = images;
    if (metadata !== undefined) frame.metadata = metadata;
    if (steer) frame.steer = true;
    if (new TextEncoder().encode(JSON.stringify(frame)).length > this.#options.maxFrameBytes)
      return Promise.reject(new SophieError('too_large', 'This message is too long. Send it in parts.'));
    const waits = typeof wait === 'function' ? wait : () => wait;
    const item = { id, group, text: sound, assistant, frame, waits, held: wait !== false } as Item;
    Object.assign(item, { state: 'queued', delayedBy: null, retryAt: 0, failures: 0, notBefore: 0, firstSentAt: 0 });
    item.promise = new Promise((resolve, reject) => Object.assign(item, { resolve, reject }));
    this.#items.push(item);
    this.#changed();
    return item.promise;
  }

  /**
   * Takes back a message that is not under way just now, and says whether that is certain: one of which it is not known whether the server has it
   * is not sent again, and rejected with `unconfirmed`.
   */
  withdraw(id: string): boolean {
    const item = this.#items.find((candidate) => candidate.id === id);
    if (!item || item.state === 'sent') return false;
    this.#remove(item);
    const unsaid = !item.firstSentAt;
    item.reject(unsaid ? new SophieError('withdrawn', 'This message was taken back.') : unconfirmed());
    this.#changed();
    return unsaid;
  }

  connected(): void {
    this.#online = true;
    this.#pump();
  }

  disconnected(): void {
    this.#online = false;
    clearTimeout(this.#timer);
    for (const item of this.#items) if (item.state === 'sent') Object.assign(item, { state: 'queued', notBefore: 0 });
  }

  acknowledged({ id, seq = 0, message = '', limits }: Ack): void {
    const item = this.#items.find((candidate) => candidate.id === id);
    if (!item) return;
    this.#remove(item);
    item.resolve({ id, group: item.group, seq, message, ...(limits && { limits }) });
    this.#changed();
  }

  /** Takes note of a refusal; says whether it was one of a message that waits. */
  refused({ id, code, message, retry_after_ms: retryAfterMs = 0 }: ErrorEvent): boolean {
    const item = this.#items.find((candidate) => candidate.id === id);
    if (!item) return false;
    const error = new SophieError(code, message, retryAfterMs);
    const limited = code === 'rate_limited';
    const passing = code === 'store_unavailable' || (code === 'internal' && item.failures < MOST_FAULTS);
    if (limited) this.#heldUntil = Date.now() + retryAfterMs;
    if (passing || ((limited || code === 'busy') && item.waits(error))) {
      const backoff = retryAfterMs || Math.min(LONGEST_BACKOFF_MS, 500 * 2 ** Math.min(item.failures, 10));
      item.failures += 1;
      // Nothing was logged: its ten minutes have not begun.
      if (!passing) item.firstSentAt = 0;
      const retryAt = Date.now() + backoff;
      Object.assign(item, { state: 'queued', delayedBy: error, notBefore: retryAt, retryAt });
    } else {
      this.#remove(item);
      item.reject(error);
    }
    this.#changed();
    return true;
  }

  /** An answer has ended: there may be a place for the next one. */
  freed(): void {
    for (const item of this.#items) if (item.state === 'queued' && item.delayedBy?.code === 'busy') Object.assign(item, { notBefore: 0, retryAt: 0 });
    this.#pump();
  }

  /** The server closed because a frame was too large: sending it again would end every connection. */
  tooLarge(): void {
    const size = ({ frame }: Item) => JSON.stringify(frame).length;
    const [item] = this.#items.filter(({ firstSentAt }) => firstSentAt).sort((a, b) => size(b) - size(a));
    if (!item) return;
    this.#remove(item);
    item.reject(new SophieError('too_large', 'This message is too long. Send it in parts.'));
    this.#changed();
  }

  /** Messages may wait for a connection again. */
  open(): void {
    this.#closed = null;
  }

  /** Nothing is sent any more. */
  close(error: SophieError): void {
    this.#closed = error;
    this.disconnected();
    const items = this.#items;
    this.#items = [];
    for (const item of items) {
      // Who did not wait for it has nothing to hear of its end.
      item.promise.catch(() => {});
      item.reject(error);
    }
    if (items.length) this.#options.changed();
  }

  #remove(item: Item): void {
    this.#items = this.#items.filter((candidate) => candidate !== item);
  }

  #changed(): void {
    this.#pump();
    this.#options.changed();
  }

  #pump(): void {
    clearTimeout(this.#timer);
    if (!this.#online) return;
    const now = Date.now();
    let next = Infinity;
    const seen = new Set<string>();
    for (const item of [...this.#items]) {
      if (seen.has(item.group)) continue;
      seen.add(item.group);
      const from = Math.max(item.notBefore, item.held ? this.#heldUntil : 0);
      if (from > now) next = Math.min(next, from);
      else if (this.#transmit(item, now)) next = Math.min(next, now + RESEND_MS);
      else seen.delete(item.group);
    }
    if (next < Infinity) this.#timer = setTimeout(() => this.#pump(), Math.max(1, next - now));
  }

  #transmit(item: Item, now: number): boolean {
    if (item.firstSentAt && now - item.firstSentAt > SAFE_RETRY_MS) {
      this.#remove(item);
      item.reject(unconfirmed());
      queueMicrotask(() => this.#options.changed());
      return false;
    }
    Object.assign(item, { state: 'sent', retryAt: 0, firstSentAt: item.firstSentAt || now, notBefore: now + RESEND_MS });
    this.#options.transmit(item.frame);
    return true;
  }
}

const unconfirmed = () => new SophieError('unconfirmed', 'It is not known whether this was delivered.');
