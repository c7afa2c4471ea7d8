/** Where a group's log stands: `epoch` names the log, `seq` its last event. */
export interface LogHead {
    epoch: string;
    seq: number;
}
/** Where a group stands. */
export interface Standing extends LogHead {
    /** A person has taken over from the assistant. */
    assistant?: false;
    /** Somebody has asked for a person, and the group waits. */
    person?: 'asked';
}
export type Role = 'user' | 'operator' | 'system' | 'assistant';
/** How an answer came about. */
export type Cache = 'hit' | 'miss' | 'coalesced' | 'bypass';
/** An image of a message, as a `data:` URL: PNG, JPEG, WebP or GIF. */
export interface Image {
    url: string;
    /** What it is called, for who cannot see it. */
    name?: string;
}
export interface Message {
    id: string;
    role: Role;
    author: string;
    text: string;
    images?: Image[];
    /** RFC 3339, in UTC. */
    created_at: string;
    metadata?: Record<string, unknown>;
}
/** Tokens. */
export interface Usage {
    prompt_tokens: number;
    completion_tokens: number;
    total_tokens: number;
}
/** A limit that nears its end. */
export interface Quota {
    limit: number;
    remaining: number;
    reset_ms: number;
}
export interface Who {
    session: string;
    user: string;
}
export interface Member extends Who {
    node: string;
    /** RFC 3339, in UTC. */
    since: string;
}
/** Of an error that the server tells. */
export type ServerCode = 'bad_json' | 'bad_request' | 'unknown_type' | 'too_large' | 'not_member' | 'not_allowed' | 'not_found' | 'rate_limited' | 'busy' | 'store_unavailable' | 'ai_unavailable' | 'ai_timeout' | 'ai_rejected' | 'interrupted' | 'internal';
/** An answer that is being written, as a client is told when it connects. */
export interface RunningAnswer {
    answer: string;
    group: string;
    message: string;
    text: string;
    offset: number;
    /** What the model thought so far. */
    reasoning?: string;
}
/** What a model thought, as the end of its answer keeps it. */
export interface Reasoning {
    /** The first 64 KiB of it. */
    text: string;
    /** How long it thought; not there where nobody waited for it. */
    ms?: number;
    /** There was more of it. */
    cut?: true;
}
export interface SessionReady {
    type: 'session.ready';
    session: string;
    user: string;
    node: string;
    epoch: string;
    seq: number;
    recovered: boolean;
    groups: string[];
    logs: Record<string, Standing>;
    answers: RunningAnswer[];
    ping_interval_ms: number;
    expires_in_ms?: number;
    protocol: string;
}
export interface SessionClosing {
    type: 'session.closing';
    code: number;
    reason: string;
    reconnect: boolean;
    retry_in_ms?: number;
}
export interface Ack {
    type: 'ack';
    id: string;
    pending?: true;
    epoch?: string;
    seq?: number;
    message?: string;
    recovered?: boolean;
    assistant?: false;
    person?: 'asked';
    limits?: {
        requests?: Quota;
        tokens?: Quota;
    };
}
export interface ErrorEvent {
    type: 'error';
    id?: string;
    code: ServerCode;
    message: string;
    retry_after_ms?: number;
}
export interface MessageSaid {
    type: 'message';
    group: string;
    seq: number;
    message: Message;
}
export interface AnswerStart {
    type: 'answer.start';
    group: string;
    answer: string;
    message: string;
    model: string;
    cache: Cache;
}
export interface AnswerDelta {
    type: 'answer.delta';
    group: string;
    answer: string;
    offset: number;
    text: string;
}
/** The model thought more of an answer: no part of its text. */
export interface AnswerReasoning {
    type: 'answer.reasoning';
    group: string;
    answer: string;
    offset: number;
    text: string;
}
export interface AnswerEnd {
    type: 'answer.end';
    group: string;
    seq: number;
    answer: string;
    message: string;
    text: string;
    reasoning?: Reasoning;
    finish_reason: string;
    usage?: Usage;
    model?: string;
    cache?: Cache;
    latency_ms: number;
}
export interface AnswerError {
    type: 'answer.error';
    group: string;
    seq: number;
    answer: string;
    message: string;
    text: string;
    reasoning?: Reasoning;
    code: ServerCode;
    reason: string;
    retry_after_ms?: number;
}
/** Who came or went: one (`session`, `user`), several (`members`), or too many to name (`count`). */
export interface Membership {
    type: 'group.joined' | 'group.left';
    group: string;
    session?: string;
    user?: string;
    members?: Who[];
    count?: number;
    /** How many members the group has now; not told of a single change. */
    total?: number;
}
export interface Members {
    type: 'group.members';
    id?: string;
    group: string;
    /** At most 1,000 of them. */
    members: Member[];
    total: number;
}
export interface Typing {
    type: 'typing';
    group: string;
    user: string;
}
/** What stands in a group's log. */
export type LoggedEvent = MessageSaid | AnswerEnd | AnswerError;
export interface History {
    type: 'history';
    id?: string;
    group: string;
    /** Oldest first. */
    events: LoggedEvent[];
    /** There is more before these. */
    more: boolean;
}
export interface LogReset extends LogHead {
    type: 'log.reset';
    group: string;
}
/** A person took over from the assistant, or handed back. */
export interface AssistantTurned {
    type: 'assistant';
    group: string;
    on: boolean;
}
/** Somebody asked for a person, or what came of it. */
export interface PersonWanted {
    type: 'person';
    group: string;
    /** The group waits; a person has taken over; it waits no more, and nobody has. */
    state: 'asked' | 'taken' | 'dismissed';
}
/** What an application sent to the group, as it is. */
export interface ApplicationEvent {
    type: 'event';
    group: string;
    event: unknown;
}
export interface Pong {
    type: 'pong';
    id?: string;
}
/** Everything that a server of this version sends. */
export type ServerEvent = SessionReady | SessionClosing | Ack | ErrorEvent | LoggedEvent | AnswerStart | AnswerDelta | AnswerReasoning | Membership | Members | Typing | History | LogReset | AssistantTurned | PersonWanted | ApplicationEvent | Pong;
export type Reply = Ack | Members | History | Pong;
/** A command, with its type and fields. */
export interface Command {
    type: string;
    id?: string;
    [field: string]: unknown;
}
