// How long to wait before the next attempt to connect.

const FIRST_MS = 400;
const LONGEST_MS = 20_000;
// No server's word keeps a client away for longer.
const LONGEST_ASKED_MS = 10 * 60_000;
// What a server that has too much to do is spared, at least.
const OVERLOADED_ATTEMPT = 3;

export class Backoff {
  /** How many attempts in a row have failed. */
  attempt = 0;
  #first: number;
  #longest: number;

  constructor({ firstMs = FIRST_MS, longestMs = LONGEST_MS }: { firstMs?: number; longestMs?: number } = {}) {
    this.#first = firstMs;
    this.#longest = longestMs;
  }

  /** The next wait, in milliseconds: it doubles, half of it is random so that many clients do not come at once, and what was asked for is kept. */
  next(asked = 0, overloaded = false): number {
    if (overloaded) this.attempt = Math.max(this.attempt, OVERLOADED_ATTEMPT);
    const spread = Math.min(this.#longest, this.#first * 2 ** Math.min(this.attempt, 30));
    this.attempt += 1;
    return Math.max(Math.min(asked, LONGEST_ASKED_MS), spread / 2 + (Math.random() * spread) / 2);
  }

  reset(): void {
    this.attempt = 0;
  }
}
