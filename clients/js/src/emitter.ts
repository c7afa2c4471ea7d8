// Handlers by the type of what they are told.

type Handler<T> = (event: T) => void;

export class Emitter<Events extends object> {
  #handlers = new Map<keyof Events, Set<Handler<never>>>();

  /** Calls the handler for every event of this type, until the function that is returned is called. */
  on<K extends keyof Events>(type: K, handler: Handler<Events[K]>): () => void {
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers);
    // Of its own, so that a handler that is given twice is called twice and each can be taken away.
    const own: Handler<Events[K]> = (event) => handler(event);
    handlers.add(own);
    return () => {
      handlers.delete(own);
    };
  }

  /** As `on`, for the next event alone. */
  once<K extends keyof Events>(type: K, handler: Handler<Events[K]>): () => void {
    const off = this.on(type, (event) => {
      off();
      handler(event);
    });
    return off;
  }

  emit<K extends keyof Events>(type: K, event: Events[K]): void {
    for (const handler of [...(this.#handlers.get(type) ?? [])]) {
      try {
        (handler as Handler<Events[K]>)(event);
      } catch (fault) {
        // The fault of one handler is its own: it is told where uncaught errors are, and the others are still called.
        queueMicrotask(() => {
          throw fault;
        });
      }
    }
  }
}
