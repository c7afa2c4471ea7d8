// Who answers in each group: the assistant, or a person who has taken over; and whether a person was asked for.

import type { AssistantTurned, PersonWanted, Standing } from './protocol.js';

export interface StandingEvents {
  assistant(event: AssistantTurned): void;
  person(event: PersonWanted): void;
}

export class Standings {
  // Those in which it is not as it mostly is.
  #off = new Set<string>();
  #asked = new Set<string>();
  #events: StandingEvents;

  constructor(events: StandingEvents) {
    this.#events = events;
  }

  /** Whether the assistant answers in a group. */
  assistant(group: string): boolean {
    return !this.#off.has(group);
  }

  /** Whether a group waits for a person. */
  asked(group: string): boolean {
    return this.#asked.has(group);
  }

  /** How a group stands, as a connect or a join tells: what has changed meanwhile is told. */
  stands(group: string, standing: Partial<Standing>): void {
    const on = standing.assistant !== false;
    if (on !== this.assistant(group)) this.turned({ type: 'assistant', group, on });
    const asked = standing.person === 'asked';
    if (asked !== this.asked(group)) this.wanted({ type: 'person', group, state: asked ? 'asked' : on ? 'dismissed' : 'taken' });
  }

  turned(event: AssistantTurned): void {
    if (event.on) this.#off.delete(event.group);
    else this.#off.add(event.group);
    this.#events.assistant(event);
  }

  wanted(event: PersonWanted): void {
    if (event.state === 'asked') this.#asked.add(event.group);
    else this.#asked.delete(event.group);
    this.#events.person(event);
  }

  left(group: string): void {
    this.#off.delete(group);
    this.#asked.delete(group);
  }
}
