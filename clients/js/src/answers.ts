// The answers that are being written, and the last ones that have ended.

import { Answer } from './answer.js';
import { SophieError } from './errors.js';
import type { AnswerDelta, AnswerEnd, AnswerError, AnswerReasoning, AnswerStart, RunningAnswer } from './protocol.js';

// How many that have ended are remembered, for who asks late.
const REMEMBERED = 32;

export interface AnswerEvents {
  began(answer: Answer): void;
  grew(answer: Answer, text: string): void;
  thought(answer: Answer, text: string): void;
  ended(answer: Answer): void;
}

interface Expected {
  resolve: (answer: Answer) => void;
  reject: (error: SophieError) => void;
  timer: ReturnType<typeof setTimeout>;
}

export class Answers {
  #running = new Map<string, Answer>();
  #ended = new Map<string, Answer>();
  // By the message that they wait for an answer to.
  #expected = new Map<string, Expected>();
  // Those that the server no longer writes: their ends are in the log, if it still has them.
  #orphans = new Set<string>();
  #events: AnswerEvents;

  constructor(events: AnswerEvents) {
    this.#events = events;
  }

  get running(): Answer[] {
    return [...this.#running.values()];
  }

  isRunning(answer: string): boolean {
    return this.#running.has(answer);
  }

  /** What a server that was just connected to is writing: the others have ended, and how is in their logs, if it is there. */
  ready(told: RunningAnswer[]): void {
    const alive = new Set(told.map(({ answer }) => answer));
    this.#orphans = new Set([...this.#running.keys()].filter((id) => !alive.has(id)));
  }

  /** Those that it is writing, when it is known which logs go on. */
  resume(told: RunningAnswer[]): void {
    for (const each of told) {
      const answer = this.#answer(each);
      if (each.reasoning) this.#think(answer, 0, each.reasoning, false);
      this.#grow(answer, 0, each.text);
    }
  }

  take(event: AnswerStart | AnswerDelta | AnswerReasoning | AnswerEnd | AnswerError): void {
    const known = this.#ended.has(event.answer);
    switch (event.type) {
      case 'answer.start':
        if (!known) this.#answer(event).begin(event.model, event.cache);
        break;
      case 'answer.delta':
        if (!known) this.#grow(this.#answer({ message: '', ...event }), event.offset, event.text);
        break;
      case 'answer.reasoning':
        if (!known) this.#think(this.#answer({ message: '', ...event }), event.offset, event.text);
        break;
      default: {
        const answer = this.#answer(event);
        // Who goes by the pieces is to have all of them, also those that were written while there was no connection.
        const thought = event.reasoning?.text ?? '';
        if (thought.startsWith(answer.reasoning)) this.#think(answer, 0, thought, false);
        if (event.text.startsWith(answer.text)) this.#grow(answer, 0, event.text);
        answer.finish(event);
        this.#over(answer);
      }
    }
  }

  /** What is known of a group's log no longer connects to what follows: the ends of its orphans are not told any more. */
  stale(group: string): void {
    for (const answer of this.running) {
      if (answer.group === group && this.#orphans.has(answer.id))
        this.#lose(answer, new SophieError('interrupted', 'The server stopped before this was finished.'));
    }
  }

  /** The session has left a group: nothing more is told of its answers. */
  left(group: string): void {
    for (const answer of this.running) if (answer.group === group) this.#lose(answer, new SophieError('not_member', 'The group was left.'));
  }

  /** The answer to a message, when it begins. */
  to(message: string, timeoutMs: number): Promise<Answer> {
    const found = [...this.#running.values(), ...this.#ended.values()].find((answer) => answer.message === message);
    if (found) return Promise.resolve(found);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#expected.delete(message);
        reject(new SophieError('no_answer', 'No answer began. Perhaps a person has taken over from the assistant.'));
      }, timeoutMs);
      this.#expected.set(message, { resolve, reject, timer });
    });
  }

  close(error: SophieError): void {
    for (const { reject, timer } of this.#expected.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#expected.clear();
    for (const answer of this.running) this.#lose(answer, error);
  }

  #answer(told: { answer: string; group: string; message: string }): Answer {
    const known = this.#running.get(told.answer);
    if (known) {
      known.message ||= told.message;
      return known;
    }
    const answer = new Answer(told);
    this.#ended.delete(answer.id);
    this.#running.set(answer.id, answer);
    this.#events.began(answer);
    const expected = this.#expected.get(answer.message);
    if (expected) {
      clearTimeout(expected.timer);
      this.#expected.delete(answer.message);
      expected.resolve(answer);
    }
    return answer;
  }

  #grow(answer: Answer, offset: number, text: string): void {
    const fresh = answer.delta(offset, text);
    if (fresh) this.#events.grew(answer, fresh);
  }

  #think(answer: Answer, offset: number, text: string, isLive = true): void {
    const fresh = answer.think(offset, text, isLive);
    if (fresh) this.#events.thought(answer, fresh);
  }

  #lose(answer: Answer, error: SophieError): void {
    answer.lose(error);
    this.#over(answer);
    // Should it be told of again, it is another one.
    this.#ended.delete(answer.id);
  }

  #over(answer: Answer): void {
    this.#running.delete(answer.id);
    this.#orphans.delete(answer.id);
    this.#ended.set(answer.id, answer);
    for (const id of this.#ended.keys()) {
      if (this.#ended.size <= REMEMBERED) break;
      this.#ended.delete(id);
    }
    this.#events.ended(answer);
  }
}
