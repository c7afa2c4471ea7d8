// Timers by name: setting one again replaces it, and all can be cleared at once. No DOM.

export class Timers {
  #running = new Map();

  set(name, delay, action) {
    this.clear(name);
    const run = () => {
      this.#running.delete(name);
      action();
    };
    this.#running.set(name, setTimeout(run, delay));
  }

  has(name) {
    return this.#running.has(name);
  }

  clear(name) {
    clearTimeout(this.#running.get(name));
    this.#running.delete(name);
  }

  clearAll() {
    for (const name of [...this.#running.keys()]) this.clear(name);
  }
}
