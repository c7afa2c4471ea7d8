// This page in a frame of somebody's site, where /widget.js puts it (src/ui/widget): what the site asks for, what is said between the two.
// `embed` is null where the page stands alone.
//
// The frame's address names the site's origin, `#embed=https://shop.example.org`: what is said goes to that origin alone, and is taken from that
// origin and the parent alone. Which sites may show this page at all is the server's to say, by `frame-ancestors`.

import { find } from './dom.js';
import { becomes, me, nameIn, sessionFor } from './guest.js';

const SESSION = /^[A-Za-z0-9_-]{1,64}$/;
// Whose chat it is where no group is shown: another session than that for groups.
const OWN = 'sophie.own';
const GROUP = /^[A-Za-z0-9_.-]{1,99}$/;
// How long the site gets to answer, in milliseconds. Without an answer the page goes on as if nothing had been said.
const HELLO_MS = 5_000;
const TOKEN_MS = 30_000;

class Embed {
  // Whether the site shows the page right now.
  visible = false;
  // Gives the newest token, where the site has any to give.
  getToken;
  #site;
  #key;
  // What waits for an answer of the site, by its id.
  #asked = new Map();
  // What the site said first.
  #said;
  // Whether another session was begun since this one was refused.
  #renewed = false;
  #onShown = () => {};
  #waiting = [];

  constructor(site, address) {
    this.#site = site;
    const named = (name, legal) => (legal.test(address.get(name) ?? '') ? address.get(name) : '');
    this.group = named('group', GROUP);
    this.#key = this.group ? undefined : OWN;
    this.session = named('session', SESSION);
    this.color = named('color', /^#([0-9a-f]{3}|[0-9a-f]{6})$/i);
    this.language = address.get('language') ?? '';
    this.name = (address.get('name') ?? '').slice(0, 40);
    addEventListener('message', (event) => {
      if (event.source === parent && event.origin === site) this.#heard(event.data ?? {});
    });
    this.#said = new Promise((resolve) => {
      this.#asked.set('hello', resolve);
      setTimeout(resolve, HELLO_MS, {});
    });
  }

  // Makes the page that of a frame, before its texts are filled in.
  dress() {
    document.documentElement.dataset.embed = 'true';
    find('#embed-close').hidden = false;
    find('#new-chat').hidden = Boolean(this.group || this.session);
    find('#keys').dataset.t = 'composer.keys.embed';
    find('#stop').setAttribute('data-t-title', 'composer.stop');
  }

  // What is shown, once the site has said what it knows. The session is '' where a guest is still to be asked for a name.
  async place(signIn) {
    this.#say({ sophie: 'ready' });
    const { session: told, token } = await this.#said;
    if (token) this.getToken = () => this.#token();
    const known = me(this.#key);
    let session = this.session;
    if (!session && known && (!this.name || known.name === this.name)) ({ session } = known);
    if (!session && SESSION.test(told ?? '') && (!this.name || nameIn(told) === this.name)) session = told;
    if (!session && (this.name || !this.group || signIn !== 'none')) session = this.#new();
    return { session, group: this.group, token: '' };
  }

  // Where this browser keeps nothing for a frame, the site is asked to: else each of its pages would begin a new chat.
  keep(session) {
    if (!this.session && me(this.#key)?.session !== session) this.#say({ sophie: 'keep', session });
  }

  // Another session in the place of one that belongs to somebody who was here before; '' if that cannot be it.
  renew() {
    if (this.session || this.#renewed) return '';
    this.#renewed = true;
    return this.#new();
  }

  another() {
    this.keep(this.#new());
    location.reload();
  }

  #new() {
    const session = sessionFor(this.name) ?? sessionFor('');
    becomes(session, this.name, this.#key);
    return session;
  }

  // Until somebody sees the page.
  seen() {
    return this.visible ? null : new Promise((resolve) => this.#waiting.push(resolve));
  }

  // `shown(focus)` is called when the site shows the page, `focus` tells whether it is to be used at once.
  follow({ shown }) {
    this.#onShown = shown;
  }

  close() {
    this.#say({ sophie: 'close' });
  }

  unread(n) {
    this.#say({ sophie: 'unread', n });
  }

  #token() {
    const id = crypto.randomUUID?.() ?? String(Math.random());
    return new Promise((resolve, reject) => {
      this.#asked.set(id, ({ token, failed }) => (failed || typeof token !== 'string' ? reject(new Error('no token')) : resolve(token)));
      setTimeout(() => this.#answered(id, { failed: true }), TOKEN_MS);
      this.#say({ sophie: 'token', id });
    });
  }

  #answered(id, answer) {
    this.#asked.get(id)?.(answer);
    this.#asked.delete(id);
  }

  #heard(message) {
    switch (message.sophie) {
      case 'hello':
        this.visible = Boolean(message.shown);
        this.#answered('hello', message);
        break;
      case 'token':
        this.#answered(message.id, message);
        break;
      case 'shown':
        this.visible = true;
        this.#onShown(Boolean(message.focus));
        break;
      case 'hidden':
        this.visible = false;
        break;
      default:
    }
    if (this.visible) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #say(message) {
    parent.postMessage(message, this.#site);
  }
}

// The origin of a site, or ''.
function origin(text) {
  try {
    const url = new URL(text);
    return /^https?:$/.test(url.protocol) ? url.origin : '';
  } catch {
    return '';
  }
}

function begin() {
  const address = new URLSearchParams(location.hash.slice(1));
  const site = parent === window ? '' : origin(address.get('embed'));
  return site ? new Embed(site, address) : null;
}

export const embed = begin();
