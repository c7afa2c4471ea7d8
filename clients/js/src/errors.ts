// Why something was not done, as an error with a code that a program can tell it by.

import type { ServerCode } from './protocol.js';

/**
 * What this client itself says:
 * - `disconnected`: the connection was lost after the command was sent. It may have been carried out.
 * - `unconfirmed`: a message was sent, and nothing was heard of it for ten minutes. It may be in the log.
 * - `closed`: this client was closed, or the server ended the session; also of what was to be sent when it is closed.
 * - `queue_full`: as many messages or commands wait as may.
 * - `timeout`: no reply in time. It may have been carried out.
 * - `withdrawn`: the program took the message back.
 * - `no_answer`: no answer began in time.
 */
export type ClientCode = 'disconnected' | 'unconfirmed' | 'closed' | 'queue_full' | 'timeout' | 'withdrawn' | 'no_answer';

export type Code = ServerCode | ClientCode;

export class SophieError extends Error {
  readonly code: Code;
  /** When trying again makes sense, in milliseconds from when this was told; 0 if that was not said. */
  readonly retryAfterMs: number;

  constructor(code: Code, message: string, retryAfterMs = 0) {
    super(message);
    this.name = 'SophieError';
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}
