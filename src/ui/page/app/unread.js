// How many messages came into the shown conversation while a site had the page closed: the number at its button. No DOM.

import { keep, kept } from './storage.js';

const KEY = 'sophie.seen';

export class Unread {
  // What was seen last: {of, seq}.
  #seen = kept(KEY, 'sessionStorage');
  #told = 0;

  constructor(embed) {
    this.embed = embed;
  }

  // To be called when the conversation has something new, or is shown.
  look(chat) {
    if (!chat?.shown.loaded) return;
    const { shown, session, user } = chat;
    const of = `${session} ${shown.group}`;
    // What was there when it was first looked at is no news.
    if (this.embed.visible || this.#seen?.of !== of || !(this.#seen.seq <= shown.newest)) this.#see({ of, seq: shown.newest });
    const news = [...shown.log.values()].filter(({ seq, role, author }) => seq > this.#seen.seq && (role !== 'user' || author !== user));
    if (news.length === this.#told) return;
    this.#told = news.length;
    this.embed.unread(news.length);
  }

  #see(seen) {
    this.#seen = seen;
    keep(KEY, seen, 'sessionStorage');
  }
}
