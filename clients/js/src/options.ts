// How a client is made.

import type { GetToken } from './access.js';
import type { SocketClass } from './line.js';

export interface Options {
  /** The service's address, `https://chat.example.com`, with its path if it has one. By default where the page, or the script, came from. */
  url?: string;
  /** 1 to 64 of `A-Z a-z 0-9 _ -`. One session is one conversation; at random by default. */
  session?: string;
  token?: string;
  /** Asked for a token before one is needed: `null` if there is none for this user, which ends the client. */
  getToken?: GetToken;
  /** Groups to be in. */
  groups?: string[];
  /** The class to connect with, where there is no global one (Node 20). */
  WebSocket?: SocketClass;
  /** The first and the longest wait before the next attempt, in milliseconds. */
  backoff?: { firstMs?: number; longestMs?: number };
  /** How many messages may wait to be sent: 100. */
  maxQueued?: number;
  /** How large a frame the server takes, in bytes: what it does by default. */
  maxFrameBytes?: number;
  /** How long a command waits for its reply, in milliseconds: 30,000. */
  timeoutMs?: number;
}
