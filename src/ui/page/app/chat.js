// The conversations of one session, as far as they were read: which one is shown, who is there, what is said. No DOM.

import { Client } from './client.js';
import { config } from './config.js';
import { Conversation } from './conversation.js';
import { Members } from './members.js';
import { crowd } from './people.js';
import { endpoint, explain } from './place.js';
import { reason } from './reason.js';
import { standing } from './standing.js';
import { t } from './texts.js';

const TYPING_SHOWN_MS = 4_000;
const LOAD_AGAIN_MS = 1_500;

export class Chat {
  conversations = new Map();
  members = new Members(this);
  // Why the server let nobody in, if it did not: {code, reason}.
  refusal = null;
  // Whether an older page is being fetched for who scrolled to the top.
  fetching = false;
  // The group that is shown and not joined: not yet, or it was refused.
  outside;
  #refused = false;
  // The group that is left from here: nobody has to be told.
  #leaving = '';

  // `group` is joined and shown first, if it is named. `on` is told: change() something is to be drawn anew, state(state) of the
  // connection, ready(), moved(group) another conversation is shown, news(event, shown) a log has something new, read(conversation)
  // a part of it was read, failed(group, why) it could not be joined, removed(group) another window left it or it was ended,
  // tooLong(item) the server found a message too long.
  // `getToken()` gives the newest token, where there is somebody to ask.
  constructor({ session, token, getToken, group, on }) {
    this.session = session;
    this.on = on;
    this.outside = group;
    let shown = token;
    this.client = new Client({
      endpoint: endpoint(session),
      session,
      token,
      maxFrameBytes: config.max_frame_bytes || undefined,
      getToken: getToken && (async () => (shown = await getToken())),
      onEvent: (event) => this.#receive(event),
      onState: (state) => this.#changed(state),
      explain: async () => {
        const why = await explain(session, shown);
        this.refusal = why?.final ? why : null;
        return why;
      },
    });
    this.home = this.client.home;
    this.current = group || this.home;
  }

  get outbox() {
    return this.client.outbox;
  }

  get shown() {
    return this.conversation(this.current);
  }

  get user() {
    return this.client.user;
  }

  // Whether what is shown is still to be joined.
  get entering() {
    return this.current === this.outside && !this.#refused;
  }

  conversation(group) {
    if (!this.conversations.has(group)) this.conversations.set(group, new Conversation(group));
    return this.conversations.get(group);
  }

  select(group) {
    this.current = group;
    const target = this.conversation(group);
    target.unread = 0;
    if (!target.loaded) this.#load();
    this.members.turn();
    this.on.moved(group);
    this.on.change();
  }

  async join(group) {
    if (this.conversations.has(group)) return;
    this.#leaving = '';
    const ack = await this.client.join(group);
    this.conversation(group).stands(ack);
  }

  async leave(group) {
    this.#leaving = group;
    await this.client.leave(group);
    this.conversations.delete(group);
    if (this.current === group) this.select(this.home);
    this.on.change();
  }

  // Goes home instead of into the group that was refused.
  turnBack() {
    this.conversations.delete(this.outside);
    this.outside = '';
    this.select(this.home);
  }

  send(text, assistant, images = []) {
    this.outbox.add({ group: this.current, text, assistant, images, early: this.entering });
  }

  stop() {
    const answer = this.shown.running().at(-1);
    return answer ? this.client.request('answer.cancel', { answer: answer.answer }) : Promise.resolve();
  }

  typed() {
    if (!this.entering) this.client.notify('group.typing', { group: this.current });
  }

  async retryAnswer(row) {
    row.problem = '';
    try {
      await this.client.request('answer.retry', { message: row.message });
    } catch (refused) {
      row.problem = reason(refused.code, refused.message);
    }
    this.on.change();
  }

  #receive(event) {
    switch (event.type) {
      case 'session.ready':
        this.#ready(event);
        break;
      case 'log.rebuild':
        this.conversation(event.group).rebuild(event.lost);
        // What the lost log had taken is among what was said before: it is not to come.
        if (event.lost) this.outbox.settle((group) => group === event.group);
        if (event.group === this.current) this.#load();
        break;
      case 'outbox':
        this.outbox.settle((group, message) => this.conversations.get(group)?.messages.has(message));
        for (const item of this.outbox.items.filter(({ error }) => error?.code === 'too_large')) this.on.tooLong(item);
        break;
      case 'group.joined':
      case 'group.left':
        this.#membership(event);
        break;
      case 'assistant':
      case 'person':
        this.#stands(event);
        break;
      case 'typing':
        this.#typing(event);
        break;
      case 'event':
        this.conversations.get(event.group)?.note(t('log.event'), JSON.stringify(event.event, null, 2));
        break;
      default:
        if (event.group && this.conversations.has(event.group)) this.#logged(event);
    }
    this.on.change();
  }

  #ready({ groups, answers, logs = {} }) {
    for (const group of [...this.conversations.keys()]) if (!groups.includes(group)) this.conversations.delete(group);
    for (const group of groups) this.conversation(group).resume(answers.filter((answer) => answer.group === group));
    for (const group of groups) this.conversation(group).stands(logs[group]);
    this.on.ready();
    if (this.outside) this.#enter(this.outside);
    else if (!this.conversations.has(this.current)) this.on.removed(this.current);
  }

  async #enter(group) {
    this.#refused = false;
    try {
      await this.join(group);
    } catch (refused) {
      if (refused.code === 'disconnected') return;
      this.#refused = true;
      this.on.failed(group, reason(refused.code, refused.message));
      return;
    }
    this.outside = '';
    this.outbox.entered(group);
    if (this.current === group) this.select(group);
  }

  #changed(state) {
    this.on.state(state);
    this.on.change();
    if (!this.client.online || this.entering) return;
    // A load that the last connection took with it is begun again.
    if (!this.shown.loaded) this.#load();
    this.members.refresh();
  }

  #logged(event) {
    const into = this.conversations.get(event.group);
    const fresh = into.apply(event);
    if (event.type === 'message') this.outbox.observed(event.group, event.message, this.user);
    if (!fresh) return;
    const said = event.type === 'message' && event.message.author !== this.user;
    if (event.group !== this.current && (said || event.type === 'answer.end')) into.unread += 1;
    this.on.news(event, event.group === this.current);
  }

  // One change bears `session` and `user`; several of one moment bear `members`, or their `count` if they are too many to name.
  #membership({ type, group, session: who, user, members: several, count }) {
    const joined = type === 'group.joined';
    const changed = several ?? (count === undefined ? [{ session: who, user }] : []);
    const others = changed.filter((one) => one.session !== this.session).map((one) => one.user);
    if (others.length < changed.length) this.#itself(group, joined);
    const names = others.length > 0 ? crowd(others) : count > 0 ? t('people.n', { n: count }) : '';
    const n = others.length || count;
    if (names) this.conversations.get(group)?.note(t(joined ? 'people.joined' : 'people.left', { names, n }));
    if (group === this.current) this.members.refreshSoon();
  }

  // A person took over or handed back, or one was asked for.
  #stands(event) {
    const into = this.conversations.get(event.group);
    if (!into) return;
    if (event.type === 'assistant') into.stands({ assistant: event.on, person: event.on ? into.person : '' });
    else into.person = event.state === 'asked' ? 'asked' : '';
    const words = standing(event);
    if (words) into.note(words);
    this.on.news(event, event.group === this.current);
  }

  // This very session came or went, by another of its windows perhaps.
  #itself(group, joined) {
    if (joined) {
      this.conversation(group);
    } else if (group !== this.home) {
      this.conversations.delete(group);
      if (group !== this.#leaving) this.on.removed(group);
      else if (this.current === group) this.select(this.home);
    }
  }

  #typing({ group, user }) {
    if (user === this.user || !this.conversations.has(group)) return;
    this.conversations.get(group).typing.set(user, Date.now() + TYPING_SHOWN_MS);
    setTimeout(this.on.change, TYPING_SHOWN_MS + 50);
  }

  // The newest part of the current log. Tried again until it works: without it there is nothing to read.
  async #load() {
    const target = this.shown;
    const { life } = target;
    if (target.loading === life) return;
    target.loading = life;
    try {
      const reply = await this.client.history(target.group);
      if (target.life === life) this.#take(target, reply);
    } catch (refused) {
      const wanted = () => this.client.online && this.current === target.group && !target.loaded;
      if (refused.code !== 'disconnected') setTimeout(() => wanted() && this.#load(), LOAD_AGAIN_MS);
    }
    if (target.loading === life) target.loading = null;
    this.on.change();
  }

  async older() {
    const target = this.conversations.get(this.current);
    if (!target?.loaded || !target.more || target.loading === target.life || !this.client.online) return;
    const { life } = target;
    target.loading = life;
    this.fetching = true;
    this.on.change();
    try {
      const reply = await this.client.history(target.group, target.oldest);
      if (target.life === life) this.#take(target, reply);
    } catch {
      // Scrolling to the top again asks again.
    }
    if (target.loading === life) target.loading = null;
    this.fetching = false;
    this.on.change();
  }

  #take(target, reply) {
    target.history(reply);
    for (const row of target.messages.values()) this.outbox.observed(target.group, row, this.user);
    this.on.read(target);
  }
}
