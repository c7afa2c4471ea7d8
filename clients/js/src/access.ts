// The token: got before it is needed, replaced before it ends, asked for anew once when the server refuses it.

import { Backoff } from './backoff.js';
import { Timers } from './timers.js';

export type GetToken = () => string | null | Promise<string | null>;

// How much of a token's life is left when the next one is asked for: a third, and a minute at most.
const MARGIN_MS = 60_000;

export class Access {
  #token: string;
  #getToken: GetToken | undefined;
  #refresh: (token: string) => Promise<unknown>;
  #timers = new Timers();
  #backoff = new Backoff({ firstMs: 1_000, longestMs: 30_000 });
  // Whether another token was asked for because the server refused the last one: not again before one was good.
  #renewed = false;
  #endsAt = Infinity;
  #lifetime = 0;

  constructor(token: string | undefined, getToken: GetToken | undefined, refresh: (token: string) => Promise<unknown>) {
    this.#token = token ?? '';
    this.#getToken = getToken;
    this.#refresh = refresh;
  }

  /** The token that was used last. */
  get current(): string {
    return this.#token;
  }

  /** The token to connect with; null if there is none for this user. */
  async token(): Promise<string | null> {
    if (this.#getToken && (!this.#token || Date.now() >= this.#endsAt)) {
      const token = await this.#getToken();
      if (token === null) return null;
      this.#token = token;
      this.#endsAt = Infinity;
    }
    return this.#token;
  }

  /** The server refuses the token. Whether another one is worth an attempt. */
  renew(): boolean {
    if (!this.#getToken || this.#renewed) return false;
    this.#renewed = true;
    this.#endsAt = 0;
    return true;
  }

  /** The server took the token, which is good for so long, in milliseconds. */
  accepted(expiresInMs: number | undefined): void {
    this.#renewed = false;
    if (expiresInMs === undefined) {
      this.#endsAt = Infinity;
      return;
    }
    this.#endsAt = Date.now() + expiresInMs;
    this.#lifetime = Math.max(this.#lifetime, expiresInMs);
    this.#backoff.reset();
    if (this.#getToken) this.#timers.set('refresh', expiresInMs - Math.min(MARGIN_MS, expiresInMs / 3), () => void this.#replace());
  }

  /** There is no connection: the next one asks for what it needs. */
  disconnected(): void {
    this.#timers.clearAll();
  }

  async #replace(): Promise<void> {
    const endsAt = this.#endsAt;
    try {
      const token = await this.#getToken?.();
      if (token === undefined || token === null || endsAt !== this.#endsAt) return;
      await this.#refresh(token);
      if (endsAt !== this.#endsAt) return;
      this.#token = token;
      this.accepted(lifetime(token) || this.#lifetime);
    } catch {
      // Tried again until the old one has ended: then the server closes, and the next connection brings a new one.
      if (endsAt === this.#endsAt && Date.now() < endsAt) this.#timers.set('refresh', this.#backoff.next(), () => void this.#replace());
    }
  }
}

/** How long a JWT that was just issued is good for, in milliseconds; 0 if it does not say. */
function lifetime(token: string): number {
  try {
    const part = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const { exp, iat } = JSON.parse(atob(part)) as { exp?: unknown; iat?: unknown };
    if (typeof exp !== 'number') return 0;
    const left = exp * 1_000 - Date.now();
    // This machine's clock may be wrong: `iat` tells the length of the life without one.
    const whole = typeof iat === 'number' ? (exp - iat) * 1_000 : left;
    return left > 0 ? Math.min(left, whole) : Math.max(whole, 0);
  } catch {
    return 0;
  }
}
