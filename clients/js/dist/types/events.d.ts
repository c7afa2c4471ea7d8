import type { Answer } from './answer.js';
import type { SophieError } from './errors.js';
import type { StaleReason } from './groups.js';
import type { State } from './line.js';
import type { Sending } from './outbox.js';
import type { Presence } from './presence.js';
import type { ApplicationEvent, AssistantTurned, History, Membership, MessageSaid, PersonWanted, ServerEvent, SessionReady, Typing } from './protocol.js';
/** The history of a group is to be read, and what was shown of it to be forgotten: what follows does not connect to it. */
export interface Stale {
    group: string;
    reason: StaleReason;
    /** Reads the newest part of it. */
    read(limit?: number): Promise<History>;
}
export interface Events {
    state: State;
    /** Connected: where everything stands. */
    ready: SessionReady;
    message: MessageSaid;
    /** An answer begins, or one that is being written is heard of. */
    answer: Answer;
    /** It has grown by `text`. */
    'answer.delta': {
        answer: Answer;
        text: string;
    };
    /** The model has thought more of it: `text`. */
    'answer.reasoning': {
        answer: Answer;
        text: string;
    };
    /** It has ended: its `state` tells how. */
    'answer.end': Answer;
    stale: Stale;
    /** This session is in a group, or no longer. */
    joined: {
        group: string;
    };
    left: {
        group: string;
    };
    /** Others came or went, as it was told. */
    members: Membership;
    presence: Presence;
    typing: Typing;
    /** A person took over from the assistant, or handed back. */
    assistant: AssistantTurned;
    /** Somebody asked for a person, or what came of it. */
    person: PersonWanted;
    /** From an application. */
    event: ApplicationEvent;
    /** What waits to be sent has changed. */
    sending: readonly Sending[];
    /** Something that nobody waits for was refused. */
    error: SophieError;
    /** Every frame, as it came. */
    frame: ServerEvent;
}
