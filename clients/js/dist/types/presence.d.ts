import type { Commands } from './commands.js';
import type { Member, Who } from './protocol.js';
export declare class Presence {
    #private;
    readonly group: string;
    /** How many there are, of whom `members` may name less. */
    total: number;
    constructor(group: string, commands: Commands, changed: (presence: Presence) => void, over: () => void);
    /** Those that are there, once for each session: at most 1,000. */
    get members(): (Who & Partial<Member>)[];
    /** Asks the server anew. */
    refresh(): Promise<void>;
    /** No more of it: its timers end. */
    stop(): void;
}
