// Who is in a group, kept up to date.

import type { Commands } from './commands.js';
import { changes } from './groups.js';
import type { Member, Members, Membership, Who } from './protocol.js';
import { Timers } from './timers.js';

// However many come and go, the list is asked for once in a while: each time costs the server something.
const AGAIN_MS = 400;
// Who loses the line is still a member, but no longer there, and nobody is told: so the list is asked for now and then.
const REFRESH_MS = 30_000;

export class Presence {
  readonly group: string;
  /** How many there are, of whom `members` may name less. */
  total = 0;
  #members = new Map<string, Who & Partial<Member>>();
  #timers = new Timers();
  #commands: Commands;
  #changed: (presence: Presence) => void;
  #over: () => void;
  #stopped = false;

  constructor(group: string, commands: Commands, changed: (presence: Presence) => void, over: () => void) {
    this.group = group;
    this.#commands = commands;
    this.#changed = changed;
    this.#over = over;
    void this.refresh();
  }

  /** Those that are there, once for each session: at most 1,000. */
  get members(): (Who & Partial<Member>)[] {
    return [...this.#members.values()];
  }

  /** Asks the server anew. */
  async refresh(): Promise<void> {
    if (this.#stopped) return;
    this.#timers.clear('again');
    this.#timers.set('refresh', REFRESH_MS, () => void this.refresh());
    try {
      await this.#commands.ask<Members>('group.members', { group: this.group }, { again: true, done: (reply) => this.#take(reply) });
    } catch {
      // Asked again at the next occasion.
    }
  }

  /** No more of it: its timers end. */
  stop(): void {
    this.#stopped = true;
    this.#timers.clearAll();
    this.#over();
  }

  /** @internal Somebody came or went. */
  membership(event: Membership): void {
    const before = this.#members.size;
    for (const who of changes(event)) {
      if (event.type === 'group.left') this.#members.delete(who.session);
      else if (!this.#members.has(who.session)) this.#members.set(who.session, who);
    }
    this.total = event.total ?? this.total + this.#members.size - before;
    this.#changed(this);
    this.soon();
  }

  /** @internal There is a new connection, or a change that names nobody. */
  soon(): void {
    if (!this.#timers.has('again')) this.#timers.set('again', AGAIN_MS, () => void this.refresh());
  }

  #take({ members, total }: Members): void {
    if (this.#stopped) return;
    this.#members = new Map(members.map((member) => [member.session, member]));
    this.total = total;
    this.#changed(this);
  }
}
