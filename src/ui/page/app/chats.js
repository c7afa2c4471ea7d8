// The chats that were held in this browser: the names of their sessions and their first words, newest first. No DOM.

import { kept, keep } from './storage.js';

const MOST = 100;
const TITLE_CHARS = 80;

const sound = (chat) => typeof chat?.session === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(chat.session) && typeof chat.title === 'string';

export class Chats {
  #key = '';

  // Each account has a list of its own; all guests of a browser share one.
  of(user) {
    this.#key = user.startsWith('guest:') ? 'sophie.chats' : `sophie.chats:${user}`;
  }

  get known() {
    return Boolean(this.#key);
  }

  all() {
    const chats = this.#key ? kept(this.#key) : [];
    return Array.isArray(chats) ? chats.filter(sound) : [];
  }

  find(words) {
    const wanted = words.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    return this.all().filter(({ title }) => wanted.every((word) => title.toLocaleLowerCase().includes(word)));
  }

  // Something was said there. The title is what was said first.
  said(session, text) {
    if (!this.#key) return;
    const chats = this.all();
    const known = chats.find((chat) => chat.session === session);
    const title = known?.title ?? brief(text);
    this.#put([{ session, title, at: Date.now() }, ...chats.filter((chat) => chat !== known)]);
  }

  // An older message of it was found to be the first one.
  began(session, text) {
    const chats = this.all();
    const known = chats.find((chat) => chat.session === session);
    if (!known || known.title === brief(text)) return;
    known.title = brief(text);
    this.#put(chats);
  }

  remove(session) {
    this.#put(this.all().filter((chat) => chat.session !== session));
  }

  #put(chats) {
    keep(this.#key, chats.slice(0, MOST));
  }
}

function brief(text) {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > TITLE_CHARS ? `${line.slice(0, TITLE_CHARS - 1).toWellFormed?.() ?? line.slice(0, TITLE_CHARS - 1)}…` : line;
}
