// What the end of a connection means: whether to come back, when, and why it ended.

import type { SessionClosing } from './protocol.js';

export interface Ending {
  code: number;
  reason: string;
  /** Whether the client is not to come back by itself. */
  final: boolean;
  /** The server's wish, in milliseconds. */
  retryInMs: number;
}

export const BAD_TOKEN = 4500;
export const OVERLOADED = 4004;
export const TOO_LARGE = 1009;
/** The connection was lost without a goodbye. */
export const ABNORMAL = 1006;

// 1000 is an application's last word; of the others the same would come of the same again.
const FINAL = new Set([1000, 1002, 1003, 1007, 1008, TOO_LARGE]);

const WORDS: Record<number, string> = {
  1000: 'The server ended this session.',
  1002: 'The server did not understand this client.',
  1003: 'The server did not understand this client.',
  1007: 'The server did not understand this client.',
  1008: 'The server refuses this client.',
  1009: 'A message was larger than the server takes.',
};

/** By the goodbye that came before, if one did; else by the close code: 4000 to 4499 come back, 4500 to 4999 do not. */
export function ending(code: number, reason: string, goodbye: SessionClosing | null): Ending {
  const final = goodbye ? !goodbye.reconnect : FINAL.has(code) || (code >= 4500 && code <= 4999);
  const words = goodbye?.reason || reason || WORDS[code] || (final ? 'The server ended this session.' : '');
  return { code: goodbye?.code ?? code, reason: words, final, retryInMs: goodbye?.retry_in_ms ?? 0 };
}
