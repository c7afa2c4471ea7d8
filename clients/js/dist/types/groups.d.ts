import type { Commands } from './commands.js';
import type { SophieError } from './errors.js';
import type { Ack, LogHead, LogReset, Membership, SessionReady, Standing, Who } from './protocol.js';
/**
 * Why the history of a group is to be read: `first`, nothing of it was read yet; `missed`, there is more than can be told again;
 * `lost`, a new log has begun.
 */
export type StaleReason = 'first' | 'missed' | 'lost';
export interface GroupEvents {
    stale(group: string, reason: StaleReason): void;
    joined(group: string): void;
    left(group: string): void;
    stands(group: string, standing: Partial<Standing>): void;
    failed(group: string, error: SophieError): void;
}
export declare class Groups {
    #private;
    readonly home: string;
    constructor(session: string, wanted: Iterable<string>, commands: Commands, events: GroupEvents);
    /** The session's groups, its own first. */
    get names(): string[];
    head(group: string): LogHead | undefined;
    ready({ epoch, seq, recovered, groups, logs }: SessionReady): void;
    join(group: string): Promise<Ack>;
    /** There is no connection: the next one begins anew. */
    disconnected(): void;
    leave(group: string): Promise<Ack>;
    /** Who came and went: perhaps this very session, by another of its windows, or an operator's hand. */
    membership(event: Membership): void;
    /**
     * Takes note of a logged event; says whether it is new. Only events move the point to resume from: an `ack` may overtake events that were
     * logged before it.
     */
    follow(group: string, seq: number): boolean;
    reset({ group, epoch, seq }: LogReset): void;
}
/** Who an event of membership names. */
export declare function changes({ session, user, members }: Membership): Who[];
