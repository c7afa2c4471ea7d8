// What this package is to a program.

export type { GetToken } from './access.js';
export { Answer, type AnswerState } from './answer.js';
export { type ClientCode, type Code, SophieError } from './errors.js';
export type { Events, Stale } from './events.js';
export type { StaleReason } from './groups.js';
export type { Socket, SocketClass, State } from './line.js';
export { randomName } from './names.js';
export type { Options } from './options.js';
export type { Sending, SendOptions, Sent } from './outbox.js';
export type { Presence } from './presence.js';
export type * from './protocol.js';
export { Sophie } from './sophie.js';
