export declare class Backoff {
    #private;
    /** How many attempts in a row have failed. */
    attempt: number;
    constructor({ firstMs, longestMs }?: {
        firstMs?: number;
        longestMs?: number;
    });
    /** The next wait, in milliseconds: it doubles, half of it is random so that many clients do not come at once, and what was asked for is kept. */
    next(asked?: number, overloaded?: boolean): number;
    reset(): void;
}
