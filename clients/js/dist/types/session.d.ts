import { Answers } from './answers.js';
import { Commands } from './commands.js';
import { Emitter } from './emitter.js';
import type { Events } from './events.js';
import { Groups } from './groups.js';
import { Line } from './line.js';
import type { Options } from './options.js';
import { Outbox } from './outbox.js';
import { Presence } from './presence.js';
import type { History, SessionReady } from './protocol.js';
import { Standings } from './standings.js';
export declare class Session {
    #private;
    readonly emitter: Emitter<Events>;
    readonly line: Line;
    readonly commands: Commands;
    readonly outbox: Outbox;
    readonly groups: Groups;
    readonly answers: Answers;
    readonly standings: Standings;
    readonly presences: Map<string, Presence>;
    /** What was told at the last connect. */
    last: SessionReady | null;
    constructor(url: string, session: string, options: Options);
    connect(): Promise<SessionReady>;
    history(group: string, more: {
        before?: number | undefined;
        limit?: number | undefined;
    }): Promise<History>;
    presence(group: string): Presence;
    nextId(): string;
}
