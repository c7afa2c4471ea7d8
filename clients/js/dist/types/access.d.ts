export type GetToken = () => string | null | Promise<string | null>;
export declare class Access {
    #private;
    constructor(token: string | undefined, getToken: GetToken | undefined, refresh: (token: string) => Promise<unknown>);
    /** The token that was used last. */
    get current(): string;
    /** The token to connect with; null if there is none for this user. */
    token(): Promise<string | null>;
    /** The server refuses the token. Whether another one is worth an attempt. */
    renew(): boolean;
    /** The server took the token, which is good for so long, in milliseconds. */
    accepted(expiresInMs: number | undefined): void;
    /** There is no connection: the next one asks for what it needs. */
    disconnected(): void;
}
