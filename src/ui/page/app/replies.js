// Commands that wait for their one reply. No DOM.

export class Refused extends Error {
  constructor(code, message, retryAfterMs = 0) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

export class Replies {
  #waiting = new Map();

  to(id) {
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  // Hands an event to who waits for it; says whether anybody did.
  settle(event) {
    const waiting = event.id === undefined ? undefined : this.#waiting.get(event.id);
    if (!waiting) return false;
    this.#waiting.delete(event.id);
    if (event.type === 'error') waiting.reject(new Refused(event.code, event.message, event.retry_after_ms));
    else waiting.resolve(event);
    return true;
  }

  // None will come any more.
  lost() {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new Refused('disconnected', 'The connection was lost.'));
  }
}
