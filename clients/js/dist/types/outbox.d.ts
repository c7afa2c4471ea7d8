import { SophieError } from './errors.js';
import type { Ack, Command, ErrorEvent, Image } from './protocol.js';
export interface SendOptions {
    /** The session's own by default. */
    group?: string;
    /** Whether the assistant is to answer: true by default. */
    assistant?: boolean;
    /** Shown with the text, where the service takes images (`ai.images`). */
    images?: Image[];
    metadata?: Record<string, unknown>;
    /** First ends the answers that are being written there to this user. */
    steer?: boolean;
    /** Says it once, however often it is sent with this id within ten minutes. At random by default. */
    id?: string;
    /** Whether a refusal of the moment (`rate_limited`, `busy`) is waited out: by default it is told. */
    wait?: boolean | ((error: SophieError) => boolean);
}
/** A message was logged. */
export interface Sent {
    id: string;
    group: string;
    seq: number;
    /** Its id in the log. */
    message: string;
    /** The limits that near their end. */
    limits?: Ack['limits'];
}
/** A message that is not confirmed yet. */
export interface Sending {
    readonly id: string;
    readonly group: string;
    readonly text: string;
    readonly assistant: boolean;
    /** `queued` waits for the connection, for the one before it, or for `delayedBy`. */
    readonly state: 'queued' | 'sent';
    /** Why it was not taken at the last attempt; it is sent again. */
    readonly delayedBy: SophieError | null;
    /** When it is sent again, in milliseconds since 1970; 0 if that waits for something else than time. */
    readonly retryAt: number;
}
export interface OutboxOptions {
    transmit(frame: Command): void;
    changed(): void;
    most: number;
    maxFrameBytes: number;
}
export declare class Outbox {
    #private;
    constructor(options: OutboxOptions);
    /** What waits, in the order in which it was said. */
    get items(): readonly Sending[];
    add(id: string, group: string, text: string, options: SendOptions): Promise<Sent>;
    /**
     * Takes back a message that is not under way just now, and says whether that is certain: one of which it is not known whether the server has it
     * is not sent again, and rejected with `unconfirmed`.
     */
    withdraw(id: string): boolean;
    connected(): void;
    disconnected(): void;
    acknowledged({ id, seq, message, limits }: Ack): void;
    /** Takes note of a refusal; says whether it was one of a message that waits. */
    refused({ id, code, message, retry_after_ms: retryAfterMs }: ErrorEvent): boolean;
    /** An answer has ended: there may be a place for the next one. */
    freed(): void;
    /** The server closed because a frame was too large: sending it again would end every connection. */
    tooLarge(): void;
    /** Messages may wait for a connection again. */
    open(): void;
    /** Nothing is sent any more. */
    close(error: SophieError): void;
}
