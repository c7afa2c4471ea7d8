// How often it is told that somebody types: the server passes on one a second and group.

const EVERY_MS = 1_000;
const MOST = 64;

export class Typist {
  #told = new Map<string, number>();

  /** Whether it is time to tell it again. */
  may(group: string): boolean {
    const now = Date.now();
    if (now - (this.#told.get(group) ?? 0) < EVERY_MS) return false;
    if (this.#told.size >= MOST) this.#told.clear();
    this.#told.set(group, now);
    return true;
  }
}
