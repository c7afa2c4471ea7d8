import { Answer } from './answer.js';
import { SophieError } from './errors.js';
import type { AnswerDelta, AnswerEnd, AnswerError, AnswerReasoning, AnswerStart, RunningAnswer } from './protocol.js';
export interface AnswerEvents {
    began(answer: Answer): void;
    grew(answer: Answer, text: string): void;
    thought(answer: Answer, text: string): void;
    ended(answer: Answer): void;
}
export declare class Answers {
    #private;
    constructor(events: AnswerEvents);
    get running(): Answer[];
    isRunning(answer: string): boolean;
    /** What a server that was just connected to is writing: the others have ended, and how is in their logs, if it is there. */
    ready(told: RunningAnswer[]): void;
    /** Those that it is writing, when it is known which logs go on. */
    resume(told: RunningAnswer[]): void;
    take(event: AnswerStart | AnswerDelta | AnswerReasoning | AnswerEnd | AnswerError): void;
    /** What is known of a group's log no longer connects to what follows: the ends of its orphans are not told any more. */
    stale(group: string): void;
    /** The session has left a group: nothing more is told of its answers. */
    left(group: string): void;
    /** The answer to a message, when it begins. */
    to(message: string, timeoutMs: number): Promise<Answer>;
    close(error: SophieError): void;
}
