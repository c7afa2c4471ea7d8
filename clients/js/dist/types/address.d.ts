/** The address of a session: `url` is the service's (`https://chat.example.com`, with a path if it has one). */
export declare function endpoint(url: string, session: string): string;
/** The address and the subprotocols of one attempt. */
export declare function handshake(endpoint: string, token: string, since: {
    epoch: string;
    seq: number;
} | undefined): {
    url: string;
    protocols: string[];
};
export interface Refusal {
    status: number;
    code: string;
    reason: string;
    retryInMs: number;
}
/** Why the server refuses to connect, asked over plain HTTP, where it can be read; null if that is not to be known. */
export declare function explain(endpoint: string, token: string, signal: AbortSignal): Promise<Refusal | null>;
