// What is known of one group: its log by `seq`, the answers still being written, and passing notes. No DOM.

import { Answer } from './answer.js';
import { t } from './texts.js';

export class Conversation {
  constructor(group) {
    this.group = group;
    this.loaded = false;
    // Counts rebuilds: a reply that was asked for before one belongs to a log that is gone.
    this.life = 0;
    this.more = false;
    this.past = [];
    this.unread = 0;
    this.typing = new Map();
    // Whether the assistant answers, or a person has taken over; and whether somebody has 'asked' for one.
    this.assistant = true;
    this.person = '';
    this.#clear();
  }

  #clear() {
    this.log = new Map();
    this.messages = new Map();
    this.answers = new Map();
    this.notes = [];
    this.oldest = Infinity;
    this.newest = 0;
    this.sorted = null;
  }

  // Begins anew. Answers that are being written go on: who reconnects was just told of them.
  rebuild(lost) {
    const running = this.running();
    for (const answer of running)
      if (answer.orphan) answer.fail({ text: answer.text, reason: t('log.stopped') });
    if (lost) this.past = this.rows().filter((row) => row.kind !== 'divider' && row.state !== 'running');
    this.#clear();
    this.life += 1;
    for (const answer of running) if (!answer.orphan) this.answers.set(answer.answer, answer);
    this.loaded = false;
    this.more = false;
  }

  running() {
    return [...this.answers.values()].filter(({ state }) => state === 'running');
  }

  // How it stands, as `session.ready` or the `ack` of a join tells.
  stands({ assistant = true, person = '' } = {}) {
    Object.assign(this, { assistant, person });
  }

  // Which answers are being written, by a server that was just connected to.
  resume(answers) {
    const alive = new Set(answers.map(({ answer }) => answer));
    // One that is no longer written has ended meanwhile: the log tells how, if it still can.
    for (const answer of this.running()) answer.orphan = !alive.has(answer.answer);
    for (const told of answers) {
      const answer = this.#answer(told);
      if (told.reasoning) answer.think(0, told.reasoning, false);
      answer.resume(told.text);
    }
  }

  history({ events, more }) {
    for (const event of events) this.apply(event);
    this.more = more && events.length > 0;
    this.loaded = true;
  }

  // Takes an event of this group; says whether it was new.
  apply(event) {
    if (event.seq !== undefined && this.log.has(event.seq)) return false;
    switch (event.type) {
      case 'message': {
        const { id, role, author, text, images, created_at: createdAt } = event.message;
        const row = { kind: 'message', key: `message:${id}`, id, role, author, text, images, createdAt, seq: event.seq, version: 0 };
        this.messages.set(id, row);
        this.past = this.past.filter(({ key }) => key !== row.key);
        this.typing.delete(author);
        this.#logged(event.seq, row);
        return true;
      }
      case 'answer.start':
        if (!this.answers.has(event.answer)) this.#answer(event).startedAt = performance.now();
        return true;
      case 'answer.delta':
        this.#heard(this.#answer(event));
        this.#answer(event).delta(event.offset, event.text);
        return true;
      case 'answer.reasoning':
        this.#answer(event).think(event.offset, event.text);
        return true;
      case 'answer.end':
      case 'answer.error': {
        const answer = this.#answer(event);
        if (event.type === 'answer.end') answer.end(event);
        else answer.fail(event);
        this.#logged(event.seq, answer);
        return true;
      }
      default:
        return false;
    }
  }

  note(text, detail = '') {
    const at = this.newest;
    this.notes.push({ kind: 'note', key: `note:${this.notes.length}:${at}`, text, detail, seq: at, version: 0 });
    this.sorted = null;
  }

  // Everything to be shown but what is still to be sent, oldest first: what belongs to a lost log, the log, what runs.
  rows() {
    if (!this.sorted) {
      const logged = [...this.log.values(), ...this.notes].sort((a, b) => a.seq - b.seq);
      this.sorted = [...logged, ...this.running()];
    }
    const divider = this.past.length ? [{ kind: 'divider', key: 'divider', version: 0 }] : [];
    return [...this.past, ...divider, ...this.sorted];
  }

  // How long its first words took, if it was followed from its start.
  #heard(answer) {
    if (answer.startedAt) answer.firstAfterMs ??= performance.now() - answer.startedAt;
  }

  #answer(event) {
    let answer = this.answers.get(event.answer);
    if (!answer) {
      answer = Object.assign(new Answer(event), { kind: 'answer', key: `answer:${event.answer}` });
      this.answers.set(event.answer, answer);
      this.past = this.past.filter(({ key }) => key !== answer.key);
      this.sorted = null;
    }
    return answer;
  }

  #logged(seq, row) {
    this.log.set(seq, row);
    this.oldest = Math.min(this.oldest, seq);
    this.newest = Math.max(this.newest, seq);
    this.sorted = null;
  }
}
