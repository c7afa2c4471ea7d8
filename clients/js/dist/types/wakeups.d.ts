/** Calls `wake` when a connection is worth a look, until the function that is returned is called. */
export declare function wakeups(wake: () => void): () => void;
