// One answer as it grows. Offsets count Unicode scalar values, JavaScript strings UTF-16 units: hence the care.

import { SophieError } from './errors.js';
import type { AnswerEnd, AnswerError, Cache, Usage } from './protocol.js';

export type AnswerState = 'running' | 'done' | 'cancelled' | 'failed';

export class Answer implements AsyncIterable<string> {
  readonly id: string;
  readonly group: string;
  /** The id of the message that it answers. */
  message: string;
  /** Empty if it is not known: an answer that began before this client came, or that was read from the history. */
  model = '';
  cache: Cache | '' = '';
  /** All of it so far. */
  text = '';
  state: AnswerState = 'running';
  /** Its place in the log, when it has ended. */
  seq: number | undefined;
  finishReason = '';
  usage: Usage | undefined;
  latencyMs: number | undefined;
  /** Why it failed. */
  error: SophieError | null = null;
  /** Grows with every change. */
  version = 0;
  /** Resolves when it has ended, however it ended. */
  readonly ended: Promise<Answer>;
  #length = 0;
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

  /** Its length in Unicode scalar values. */
  get length(): number {
    return this.#length;
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

  /** @internal A piece of it. What is new of that: a piece may overlap with what is known. */
  delta(offset: number, text: string): string {
    // A hole cannot be mended from here; the whole text comes with the end.
    if (this.state !== 'running' || offset > this.#length) return '';
    const known = this.#length - offset;
    const fresh = known === 0 ? text : Array.from(text).slice(known).join('');
    if (!fresh) return '';
    this.text += fresh;
    this.#length += scalars(fresh);
    this.#changed();
    return fresh;
  }

  /** @internal It has ended, as it is logged. */
  finish(event: AnswerEnd | AnswerError): void {
    this.seq = event.seq;
    this.text = event.text;
    this.#length = scalars(event.text);
    this.message = event.message ?? this.message;
    if (event.type === 'answer.end') {
      this.state = event.finish_reason === 'cancelled' ? 'cancelled' : 'done';
      this.finishReason = event.finish_reason;
      this.usage = event.usage;
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

function scalars(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
