// One answer as it grows.

import { SophieError } from './errors.js';
import { Growing } from './growing.js';
import type { AnswerEnd, AnswerError, Cache, Usage } from './protocol.js';

export type AnswerState = 'running' | 'done' | 'cancelled' | 'failed';

export class Answer implements AsyncIterable<string> {
  readonly id: string;
  readonly group: string;
  /** The id of the message that it answers. */
  message: string;
  /** Empty if it is not known: an answer that began before this client came and has not ended, or one that failed. */
  model = '';
  cache: Cache | '' = '';
  state: AnswerState = 'running';
  /** Its place in the log, when it has ended. */
  seq: number | undefined;
  finishReason = '';
  usage: Usage | undefined;
  latencyMs: number | undefined;
  /** How long the model thought, as far as that is known: while it writes, from the first piece that came here to the last. */
  reasoningMs: number | undefined;
  /** It thought more than is kept. */
  reasoningCut = false;
  /** Why it failed. */
  error: SophieError | null = null;
  /** Grows with every change. */
  version = 0;
  /** Resolves when it has ended, however it ended. */
  readonly ended: Promise<Answer>;
  #text = new Growing();
  #reasoning = new Growing();
  #thinkingSince: number | undefined;
  #end!: (answer: Answer) => void;
  #wakes = new Set<() => void>();

  constructor({ answer, group, message }: { answer: string; group: string; message: string }) {
    this.id = answer;
    this.group = group;
    this.message = message;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** The answer that an event of the history tells of. */
  static of(event: AnswerEnd | AnswerError): Answer {
    const answer = new Answer(event);
    answer.finish(event);
    return answer;
  }

  /** All of it so far. */
  get text(): string {
    return this.#text.text;
  }

  /** What the model thought so far, if the service shows that; no part of the answer. */
  get reasoning(): string {
    return this.#reasoning.text;
  }

  /** Its length in Unicode scalar values. */
  get length(): number {
    return this.#text.length;
  }

  /** Its text piece by piece, from the beginning. Ends with the answer; throws if that fails. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, undefined> {
    let at = 0;
    for (;;) {
      if (this.text.length > at) {
        const piece = this.text.slice(at);
        at = this.text.length;
        yield piece;
      } else if (this.state !== 'running') {
        if (this.error) throw this.error;
        return;
      } else {
        await new Promise<void>((wake) => this.#wakes.add(wake));
      }
    }
  }

  /** @internal Its beginning was told. */
  begin(model: string, cache: Cache): void {
    this.model = model;
    this.cache = cache;
    this.#changed();
  }

  /** @internal All of it so far, as a new connection is told. What is new of it. */
  resume(text: string): string {
    return this.delta(0, text);
  }

  /** @internal A piece of it. What is new of that; after a hole nothing is, and the whole text comes with the end. */
  delta(offset: number, text: string): string {
    const fresh = this.state === 'running' ? this.#text.add(offset, text) : '';
    if (fresh) this.#changed();
    return fresh;
  }

  /** @internal As `delta`, of what the model thinks. Whether that is heard as it comes: else nobody here knows how long it took. */
  think(offset: number, text: string, isLive = true): string {
    const fresh = this.state === 'running' ? this.#reasoning.add(offset, text) : '';
    if (!fresh) return '';
    if (isLive && this.#reasoning.length === [...fresh].length) this.#thinkingSince = performance.now();
    if (this.#thinkingSince !== undefined) this.reasoningMs = Math.round(performance.now() - this.#thinkingSince);
    this.#changed();
    return fresh;
  }

  /** @internal It has ended, as it is logged. */
  finish(event: AnswerEnd | AnswerError): void {
    this.seq = event.seq;
    this.#text.set(event.text);
    this.#reasoning.set(event.reasoning?.text ?? '');
    this.reasoningMs = event.reasoning?.ms;
    this.reasoningCut = event.reasoning?.cut ?? false;
    this.message = event.message ?? this.message;
    if (event.type === 'answer.end') {
      this.state = event.finish_reason === 'cancelled' ? 'cancelled' : 'done';
      this.finishReason = event.finish_reason;
      this.usage = event.usage;
      this.model = event.model ?? this.model;
      this.cache = event.cache ?? this.cache;
      this.latencyMs = event.latency_ms;
    } else {
      this.state = 'failed';
      this.error = new SophieError(event.code, event.reason, event.retry_after_ms);
    }
    this.#changed();
    this.#end(this);
  }

  /** @internal Its end is not to be known. */
  lose(error: SophieError): void {
    this.state = 'failed';
    this.error = error;
    this.#changed();
    this.#end(this);
  }

  #changed(): void {
    this.version += 1;
    const wakes = [...this.#wakes];
    this.#wakes.clear();
    for (const wake of wakes) wake();
  }
}
