import { SophieError } from './errors.js';
import type { Command, ErrorEvent, Reply } from './protocol.js';
export interface AskOptions<R extends Reply> {
    /** Whether it may be carried out twice. */
    again?: boolean;
    /** Told before any event that follows the reply: a promise is told later. */
    done?: (reply: R) => void;
}
export declare class Commands {
    #private;
    constructor(transmit: (frame: Command) => void, nextId: () => string, timeoutMs: number);
    ask<R extends Reply>(type: string, fields: Record<string, unknown>, { again, done }?: AskOptions<R>): Promise<R>;
    /** A command whose loss does no harm, and that nobody waits for. */
    tell(type: string, fields: Record<string, unknown>): void;
    connected(): void;
    disconnected(): void;
    /** Hands an event to who waits for it; says whether anybody did. */
    settle(event: Reply | ErrorEvent): boolean;
    /** Commands may wait for a connection again. */
    open(): void;
    /** None is answered any more. */
    close(error: SophieError): void;
}
