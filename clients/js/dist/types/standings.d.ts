import type { AssistantTurned, PersonWanted, Standing } from './protocol.js';
export interface StandingEvents {
    assistant(event: AssistantTurned): void;
    person(event: PersonWanted): void;
}
export declare class Standings {
    #private;
    constructor(events: StandingEvents);
    /** Whether the assistant answers in a group. */
    assistant(group: string): boolean;
    /** Whether a group waits for a person. */
    asked(group: string): boolean;
    /** How a group stands, as a connect or a join tells: what has changed meanwhile is told. */
    stands(group: string, standing: Partial<Standing>): void;
    turned(event: AssistantTurned): void;
    wanted(event: PersonWanted): void;
    left(group: string): void;
}
