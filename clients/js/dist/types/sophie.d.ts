import type { Answer } from './answer.js';
import type { Events } from './events.js';
import type { State } from './line.js';
import type { Options } from './options.js';
import type { Sending, SendOptions, Sent } from './outbox.js';
import type { Presence } from './presence.js';
import type { Ack, History, LoggedEvent, LogHead, Members, Reply, SessionReady } from './protocol.js';
export declare class Sophie {
    #private;
    /** Where a script of a page came from: the default for `url`. */
    static origin: string | undefined;
    /** Its name. One session is one conversation. */
    readonly session: string;
    /** The session's own group. */
    readonly home: string;
    constructor(options?: Options);
    /** How the connection is doing. */
    get state(): State;
    /** Who this is, as the server says; empty before it was connected. */
    get user(): string;
    /** The groups that this session is in, its own first. */
    get groups(): string[];
    /** The answers that are being written. */
    get answers(): Answer[];
    /** What was said and is not confirmed yet, oldest first. */
    get sending(): readonly Sending[];
    /** Calls the handler for every event of this type, until the function that is returned is called. */
    on<K extends keyof Events>(type: K, handler: (event: Events[K]) => void): () => void;
    /** As `on`, for the next event alone. */
    once<K extends keyof Events>(type: K, handler: (event: Events[K]) => void): () => void;
    /**
     * Connects, and stays connected: again and again until `close`, or until the server ends the session. Resolves when the session is ready;
     * rejects if it ends before that. Need not be awaited. While a next attempt is waited for, it is made at once.
     */
    connect(): Promise<SessionReady>;
    /** Looks after the connection now: makes the next attempt, or asks whether the server is still there. Pages of browsers do it by themselves. */
    wake(): void;
    /** Ends all of it: what waits is rejected with `closed`. `connect` begins anew. */
    close(): void;
    /** Says something. It is kept until the server has it, over lost connections too, and is said once. */
    send(text: string, options?: SendOptions): Promise<Sent>;
    /** Takes back a message that is not under way just now, by its id; says whether it is certain that it was not said. */
    withdraw(id: string): boolean;
    /** Asks something: the answer, as soon as it begins. `timeoutMs` (30,000) is how long it may take to begin. */
    ask(text: string, { timeoutMs, ...options }?: Omit<SendOptions, 'assistant'> & {
        timeoutMs?: number;
    }): Promise<Answer>;
    /** Ends an answer; what was written stays. */
    cancel(answer: Answer | string): Promise<Ack>;
    /** Asks for another answer to a message. */
    retry(message: string): Promise<Ack>;
    /** Becomes a member of a group, and stays one. */
    join(group: string): Promise<Ack>;
    leave(group: string): Promise<Ack>;
    /** Who is in a group just now. */
    members(group?: string): Promise<Members>;
    /** Who is in a group, kept up to date: the event `presence` tells of each change. `stop()` it when it is no longer shown. */
    presence(group?: string): Presence;
    /** Tells the others that somebody is typing here. To be called as often as one likes. */
    typing(group?: string): void;
    /** What was logged, oldest first: the newest `limit` (1 to 100, 50 by default), or those before a `seq`. */
    history(group?: string, { before, limit }?: {
        before?: number;
        limit?: number;
    }): Promise<History>;
    /** All of what is logged, newest first, read as it is asked for. */
    past(group?: string): AsyncGenerator<LoggedEvent, void, undefined>;
    /** What somebody thinks of an answer (-1 or 1), or of the whole chat (1 to 5). */
    feedback(rating: number, { answer, text }?: {
        answer?: Answer | string;
        text?: string;
    }): Promise<Ack>;
    /** Asks for a person, where the service offers that. */
    askForPerson({ group, text }?: {
        group?: string;
        text?: string;
    }): Promise<Ack>;
    /** Who answers in a group: the assistant, or a person who has taken over; and whether the group waits for one. */
    standing(group?: string): {
        assistant: boolean;
        asked: boolean;
    };
    /** Any command of the protocol, for what has no method here. It is not sent again after a lost connection. */
    command<R extends Reply = Ack>(type: string, fields?: Record<string, unknown>): Promise<R>;
    /** Where a group's log was read to. */
    position(group?: string): LogHead | undefined;
}
