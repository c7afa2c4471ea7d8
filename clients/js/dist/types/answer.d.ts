import { SophieError } from './errors.js';
import type { AnswerEnd, AnswerError, Cache, Usage } from './protocol.js';
export type AnswerState = 'running' | 'done' | 'cancelled' | 'failed';
export declare class Answer implements AsyncIterable<string> {
    #private;
    readonly id: string;
    readonly group: string;
    /** The id of the message that it answers. */
    message: string;
    /** Empty if it is not known: an answer that began before this client came and has not ended, or one that failed. */
    model: string;
    cache: Cache | '';
    state: AnswerState;
    /** Its place in the log, when it has ended. */
    seq: number | undefined;
    finishReason: string;
    usage: Usage | undefined;
    latencyMs: number | undefined;
    /** How long the model thought, as far as that is known: while it writes, from the first piece that came here to the last. */
    reasoningMs: number | undefined;
    /** It thought more than is kept. */
    reasoningCut: boolean;
    /** Why it failed. */
    error: SophieError | null;
    /** Grows with every change. */
    version: number;
    /** Resolves when it has ended, however it ended. */
    readonly ended: Promise<Answer>;
    constructor({ answer, group, message }: {
        answer: string;
        group: string;
        message: string;
    });
    /** The answer that an event of the history tells of. */
    static of(event: AnswerEnd | AnswerError): Answer;
    /** All of it so far. */
    get text(): string;
    /** What the model thought so far, if the service shows that; no part of the answer. */
    get reasoning(): string;
    /** Its length in Unicode scalar values. */
    get length(): number;
    /** Its text piece by piece, from the beginning. Ends with the answer; throws if that fails. */
    [Symbol.asyncIterator](): AsyncGenerator<string, void, undefined>;
}
