// The session's groups, and how far each one's log was read: what a new connection has to catch up with.

import type { Commands } from './commands.js';
import type { SophieError } from './errors.js';
import type { Ack, LogHead, LogReset, Membership, SessionReady, Standing, Who } from './protocol.js';
import { Timers } from './timers.js';

// A join that failed for one of these is tried again, after so long if the server does not say.
const PASSING = new Set(['rate_limited', 'store_unavailable', 'internal', 'timeout']);
const AGAIN_MS = 2_000;

/**
 * Why the history of a group is to be read: `first`, nothing of it was read yet; `missed`, there is more than can be told again;
 * `lost`, a new log has begun.
 */
export type StaleReason = 'first' | 'missed' | 'lost';

export interface GroupEvents {
  stale(group: string, reason: StaleReason): void;
  joined(group: string): void;
  left(group: string): void;
  stands(group: string, standing: Partial<Standing>): void;
  failed(group: string, error: SophieError): void;
}

export class Groups {
  readonly home: string;
  #session: string;
  #heads = new Map<string, LogHead>();
  #names = new Set<string>();
  // Those that the program has asked for: joined anew when the server has lost the session.
  #wanted: Set<string>;
  #commands: Commands;
  #events: GroupEvents;
  #timers = new Timers();

  constructor(session: string, wanted: Iterable<string>, commands: Commands, events: GroupEvents) {
    this.home = `chat_${session}`;
    this.#session = session;
    this.#wanted = new Set(wanted);
    this.#commands = commands;
    this.#events = events;
  }

  /** The session's groups, its own first. */
  get names(): string[] {
    return [...this.#names];
  }

  head(group: string): LogHead | undefined {
    return this.#heads.get(group);
  }

  ready({ epoch, seq, recovered, groups, logs }: SessionReady): void {
    const home = this.#heads.get(this.home);
    // Another life of the session's own log: its memberships may be lost with it. Else who is in no group any more has left it.
    const anew = home?.epoch !== epoch;
    const told = new Set(groups);
    for (const group of [...this.#names]) {
      if (told.has(group) || (anew && this.#wanted.has(group))) continue;
      this.#wanted.delete(group);
      this.#forget(group);
    }
    for (const group of groups) this.#enter(group);
    for (const group of groups) this.#events.stands(group, logs[group] ?? {});
    if (!home || !recovered) this.#restart(this.home, { epoch, seq });
    for (const [group, head] of Object.entries(logs)) if (group !== this.home) this.#recover(group, head);
    if (anew) for (const group of this.#wanted) if (!told.has(group)) this.#rejoin(group);
  }

  join(group: string): Promise<Ack> {
    return this.#join(group);
  }

  /** There is no connection: the next one begins anew. */
  disconnected(): void {
    this.#timers.clearAll();
  }

  leave(group: string): Promise<Ack> {
    this.#wanted.delete(group);
    return this.#commands.ask<Ack>('group.leave', { group }, { again: true, done: () => this.#forget(group) });
  }

  /** Who came and went: perhaps this very session, by another of its windows, or an operator's hand. */
  membership(event: Membership): void {
    const { type, group } = event;
    if (!changes(event).some(({ session }) => session === this.#session)) return;
    if (type === 'group.left') {
      this.#wanted.delete(group);
      this.#forget(group);
    } else if (!this.#names.has(group)) {
      this.#enter(group);
      this.#events.stale(group, 'first');
    }
  }

  /**
   * Takes note of a logged event; says whether it is new. Only events move the point to resume from: an `ack` may overtake events that were
   * logged before it.
   */
  follow(group: string, seq: number): boolean {
    const known = this.#heads.get(group);
    if (!known) {
      this.#heads.set(group, { epoch: '', seq });
      return true;
    }
    if (seq <= known.seq) return false;
    const gap = seq > known.seq + 1;
    known.seq = seq;
    if (gap) this.#events.stale(group, 'missed');
    return true;
  }

  reset({ group, epoch, seq }: LogReset): void {
    this.#heads.set(group, { epoch, seq });
    this.#events.stale(group, 'lost');
  }

  #join(group: string): Promise<Ack> {
    const { epoch, seq } = this.#heads.get(group) ?? {};
    const since = epoch ? { since: seq, epoch } : {};
    const done = (ack: Ack) => {
      this.#wanted.add(group);
      this.#enter(group);
      this.#events.stands(group, ack);
      if (!ack.recovered) this.#restart(group, { epoch: ack.epoch ?? '', seq: ack.seq ?? 0 });
    };
    return this.#commands.ask<Ack>('group.join', { group, ...since }, { again: true, done });
  }

  #rejoin(group: string): void {
    this.#join(group).catch((refused: SophieError) => {
      if (refused.code === 'closed') return;
      if (PASSING.has(refused.code)) {
        this.#timers.set(group, refused.retryAfterMs || AGAIN_MS, () => this.#rejoin(group));
        return;
      }
      this.#wanted.delete(group);
      this.#forget(group);
      this.#events.failed(group, refused);
    });
  }

  #recover(group: string, head: LogHead): void {
    const known = this.#heads.get(group);
    if (known?.epoch !== head.epoch) this.#restart(group, head);
    else if (known.seq < head.seq)
      this.#join(group).catch((refused: SophieError) => {
        if (refused.code !== 'closed' && this.#names.has(group)) this.#restart(group, head);
      });
  }

  #restart(group: string, head: LogHead): void {
    const known = this.#heads.get(group);
    this.#heads.set(group, { epoch: head.epoch, seq: head.seq });
    this.#events.stale(group, !known ? 'first' : known.epoch && known.epoch !== head.epoch ? 'lost' : 'missed');
  }

  #enter(group: string): void {
    if (this.#names.has(group)) return;
    this.#names.add(group);
    this.#events.joined(group);
  }

  #forget(group: string): void {
    this.#heads.delete(group);
    if (this.#names.delete(group)) this.#events.left(group);
  }
}

/** Who an event of membership names. */
export function changes({ session, user, members }: Membership): Who[] {
  if (members) return members;
  return session === undefined ? [] : [{ session, user: user ?? '' }];
}
