type Handler<T> = (event: T) => void;
export declare class Emitter<Events extends object> {
    #private;
    /** Calls the handler for every event of this type, until the function that is returned is called. */
    on<K extends keyof Events>(type: K, handler: Handler<Events[K]>): () => void;
    /** As `on`, for the next event alone. */
    once<K extends keyof Events>(type: K, handler: Handler<Events[K]>): () => void;
    emit<K extends keyof Events>(type: K, event: Events[K]): void;
}
export {};
