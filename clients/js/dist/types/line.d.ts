import type { Access } from './access.js';
import { Backoff } from './backoff.js';
import { type Ending } from './closing.js';
import type { Command, LogHead, ServerEvent, SessionReady } from './protocol.js';
/**
 * How the connection is doing. `code` is the close code of the last one; or the HTTP status, when the server refused to connect and said why;
 * else 0.
 */
export type State = {
    phase: 'idle';
} | {
    phase: 'connecting'; /** How many attempts in a row have failed. */
    attempt: number;
} | {
    phase: 'open';
} | {
    phase: 'waiting';
    attempt: number; /** When the next attempt comes, in milliseconds since 1970. */
    retryAt: number;
    code: number;
    reason: string;
} | {
    phase: 'closed';
    code: number;
    reason: string;
};
/** As much of a WebSocket as is used. */
export interface Socket {
    onopen: ((event: never) => void) | null;
    onmessage: ((event: never) => void) | null;
    onerror: ((event: never) => void) | null;
    onclose: ((event: never) => void) | null;
    send(data: string): void;
    close(code?: number, reason?: string): void;
}
export type SocketClass = new (url: string, protocols: string[]) => Socket;
export interface LineOptions {
    endpoint: string;
    access: Access;
    socket: SocketClass;
    backoff: Backoff;
    /** Where to resume from. */
    since(): LogHead | undefined;
    ready(event: SessionReady): void;
    heard(event: ServerEvent): void;
    lost(end: Ending): void;
    state(state: State): void;
}
export declare class Line {
    #private;
    state: State;
    constructor(options: LineOptions);
    /** Connects at once, however long it was to wait. */
    start(): void;
    stop(code: number, reason: string): void;
    /** The network is back, or somebody looks at the page again: do not wait for a timer to find out. */
    wake(): void;
    transmit(frame: Command): void;
}
