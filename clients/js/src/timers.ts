// Timers by name: setting one again replaces it, and all can be cleared at once.

// What a timer can be told at most; more would fire at once.
const LONGEST_MS = 2 ** 31 - 1;

export class Timers {
  #running = new Map<string, ReturnType<typeof setTimeout>>();

  set(name: string, delay: number, action: () => void): void {
    this.clear(name);
    const run = () => {
      this.#running.delete(name);
      action();
    };
    this.#running.set(name, setTimeout(run, Math.min(Math.max(0, delay), LONGEST_MS)));
  }

  has(name: string): boolean {
    return this.#running.has(name);
  }

  clear(name: string): void {
    clearTimeout(this.#running.get(name));
    this.#running.delete(name);
  }

  clearAll(): void {
    for (const name of [...this.#running.keys()]) this.clear(name);
  }
}
