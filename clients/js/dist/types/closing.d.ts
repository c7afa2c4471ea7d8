import type { SessionClosing } from './protocol.js';
export interface Ending {
    code: number;
    reason: string;
    /** Whether the client is not to come back by itself. */
    final: boolean;
    /** The server's wish, in milliseconds. */
    retryInMs: number;
}
export declare const BAD_TOKEN = 4500;
export declare const OVERLOADED = 4004;
export declare const TOO_LARGE = 1009;
/** The connection was lost without a goodbye. */
export declare const ABNORMAL = 1006;
/** By the goodbye that came before, if one did; else by the close code: 4000 to 4499 come back, 4500 to 4999 do not. */
export declare function ending(code: number, reason: string, goodbye: SessionClosing | null): Ending;
