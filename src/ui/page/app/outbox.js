// What was said and is not seen in a log yet, as this page shows it. The library sends it, and sends it again. No DOM.

import { randomName } from './names.js';

export class Outbox {
  // {id, group, text, assistant, images, state, why, error, retryAt, message}; state: queued, sent, accepted (logged, but its
  // event is not here yet) or failed. `why` is the code for which it is still queued, if it was refused;
  // `notBefore` is when it is tried again.
  items = [];
  #chat;
  #onChange;

  constructor({ chat, onChange }) {
    this.#chat = chat;
    this.#onChange = onChange;
    chat.on('sending', (sending) => this.#follow(sending));
  }

  // `early`: the group is still to be joined, and this waits for that.
  add({ group, text, assistant, images = [], early = false }) {
    const item = { id: randomName(16), group, text: text.toWellFormed?.() ?? text, assistant, images, early, state: 'queued' };
    this.items.push(item);
    if (early) this.#onChange();
    else this.#give(item);
    return item;
  }

  // The group was joined.
  entered(group) {
    for (const item of this.items.filter((candidate) => candidate.early && candidate.group === group)) {
      item.early = false;
      this.#give(item);
    }
  }

  // The group cannot be joined: gives back what was to be said there.
  unsaid(group) {
    const items = this.items.filter((item) => item.early && item.group === group);
    this.items = this.items.filter((item) => !items.includes(item));
    return items;
  }

  retry(id) {
    const item = this.items.find((candidate) => candidate.id === id);
    if (!item || item.state !== 'failed') return;
    // A writer's own decision, however late, is no repetition to be wary of.
    if (item.error.code === 'unconfirmed') item.id = randomName(16);
    Object.assign(item, { state: 'queued', error: null });
    this.#give(item);
  }

  discard(id) {
    this.items = this.items.filter((item) => item.id !== id);
    this.#chat.withdraw(id);
    this.#onChange();
  }

  // What the library let go of when the server ended the session goes on with it.
  connected() {
    for (const item of this.items) if (item.stranded) this.#give(item);
  }

  // The event of a message came: its place in the log takes over from what stands here.
  observed(group, message, user) {
    const before = this.items.length;
    this.items = this.items.filter((item) => item.state !== 'accepted' || item.message !== message.id);
    if (this.items.length !== before || message.author !== user) return;
    // Its own `ack` may come later than its event: until then the text tells that it is the same.
    const same = this.items.find((item) => item.state === 'sent' && item.group === group && item.text === message.text);
    if (same) same.echoed = true;
  }

  // Lets go of what was accepted and is seen elsewhere: `seen(group, message)` tells.
  settle(seen) {
    this.items = this.items.filter((item) => item.state !== 'accepted' || !seen(item.group, item.message));
  }

  #give(item) {
    const { id, group, text, assistant, images } = item;
    item.stranded = false;
    this.#chat.send(text, { id, group, assistant, wait: true, ...(images.length ? { images } : {}) }).then(
      ({ message }) => this.#become(item, { state: 'accepted', message }),
      (error) => this.#become(item, error.code === 'closed' ? { state: 'queued', stranded: true } : failed(error)),
    );
  }

  #become(item, change) {
    Object.assign(item, { why: '' }, change);
    this.#onChange();
  }

  #follow(sending) {
    for (const { id, state, delayedBy } of sending) {
      const item = this.items.find((candidate) => candidate.id === id);
      if (!item) continue;
      const why = state === 'queued' ? (delayedBy?.code ?? '') : '';
      if (item.delayedBy !== delayedBy) item.notBefore = Date.now() + (delayedBy?.retryAfterMs ?? 0);
      Object.assign(item, { state, why, delayedBy, echoed: item.echoed && state === 'sent' });
    }
    this.#onChange();
  }
}

const failed = ({ code, message, retryAfterMs }) => ({
  state: 'failed',
  echoed: false,
  error: { code, message },
  retryAt: retryAfterMs ? Date.now() + retryAfterMs : 0,
});
