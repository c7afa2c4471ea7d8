// What was said and is not confirmed yet. One message is under way at a time, so that their order holds whatever fails;
// each is sent again with the same id until it is acknowledged or refused. No DOM.

const RESEND_MS = 20_000;
const LONGEST_BACKOFF_MS = 15_000;
// A limit that gives way this soon is waited for; a longer wait is the writer's to decide on.
const SHORT_WAIT_MS = 10_000;
// The server knows an id for ten minutes: after that, sending again might say it twice.
const SAFE_RETRY_MS = 9.5 * 60_000;
// The protocol's default for one frame: 12 bytes for each of 16,000 characters, and 16 KiB.
const MAX_FRAME_BYTES = 208_384;

export class Outbox {
  // {id, group, text, assistant, state, why, error, retryAt, message}; state: queued, sent, accepted (logged, but its
  // event is not here yet) or failed. `why` tells why it is still queued, if that is known.
  items = [];
  #online = false;
  // Until then the server takes nothing from this user: asking would only be refused.
  #heldUntil = 0;
  #timer = 0;

  constructor({ transmit, nextId, onChange }) {
    Object.assign(this, { transmit, nextId, onChange });
  }

  add({ group, text, assistant }) {
    // Half of a surrogate pair is no text: the server would refuse the whole frame.
    const sound = text.toWellFormed?.() ?? text;
    const item = { id: this.nextId(), group, text: sound, assistant, state: 'queued', failures: 0, notBefore: 0, firstSentAt: 0 };
    this.items.push(item);
    this.#changed();
    return item;
  }

  retry(id) {
    const item = this.items.find((candidate) => candidate.id === id);
    if (!item || item.state !== 'failed') return;
    if (item.error.code === 'unconfirmed') item.id = this.nextId();
    // A writer's own decision, however late, is no repetition to be wary of.
    Object.assign(item, { state: 'queued', why: '', error: null, failures: 0, notBefore: 0, firstSentAt: 0 });
    this.#changed();
  }

  discard(id) {
    this.items = this.items.filter((item) => item.id !== id);
    this.#changed();
  }

  connected() {
    this.#online = true;
    this.#pump();
  }

  disconnected() {
    this.#online = false;
    clearTimeout(this.#timer);
    for (const item of this.items) if (item.state === 'sent') Object.assign(item, { state: 'queued', notBefore: 0 });
  }

  acknowledged({ id, message }) {
    const item = this.items.find((candidate) => candidate.id === id);
    if (!item) return;
    Object.assign(item, { state: 'accepted', message });
    this.#changed();
  }

  refused({ id, code, message, retry_after_ms: retryAfterMs = 0 }) {
    const item = this.items.find((candidate) => candidate.id === id);
    if (!item) return;
    const limited = code === 'rate_limited';
    if (code === 'store_unavailable' || (limited && retryAfterMs > 0 && retryAfterMs <= SHORT_WAIT_MS)) {
      const backoff = Math.min(LONGEST_BACKOFF_MS, 500 * 2 ** item.failures);
      item.failures += 1;
      const why = limited ? 'Many messages at once: sent in a moment' : 'The server cannot keep it right now: trying again';
      Object.assign(item, { state: 'queued', why, notBefore: Date.now() + Math.max(retryAfterMs, backoff) });
    } else {
      if (limited) this.#heldUntil = Date.now() + retryAfterMs;
      fail(item, code, message, retryAfterMs);
    }
    this.#changed();
  }

  // The server closed because a frame was too large: sending it again would end every connection.
  tooLarge() {
    const item = this.items.find((candidate) => candidate.firstSentAt && candidate.state === 'queued');
    if (item) fail(item, 'too_large', 'This message is too long. Send it in parts.');
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

  #changed() {
    this.#pump();
    this.onChange();
  }

  #pump() {
    clearTimeout(this.#timer);
    if (!this.#online) return;
    const item = this.items.find(({ state }) => state === 'queued' || state === 'sent');
    if (!item) return;
    const now = Date.now();
    const wait = Math.max(item.notBefore, this.#heldUntil) - now;
    if (wait > 0) {
      this.#timer = setTimeout(() => this.#pump(), wait);
      return;
    }
    if (item.firstSentAt && now - item.firstSentAt > SAFE_RETRY_MS) {
      fail(item, 'unconfirmed', 'It is not known whether this was delivered.');
      this.#changed();
      return;
    }
    const frame = { type: 'message.send', id: item.id, group: item.group, text: item.text, assistant: item.assistant };
    if (new TextEncoder().encode(JSON.stringify(frame)).length > MAX_FRAME_BYTES) {
      fail(item, 'too_large', 'This message is too long. Send it in parts.');
      this.#changed();
      return;
    }
    Object.assign(item, { state: 'sent', why: '', firstSentAt: item.firstSentAt || now, notBefore: now + RESEND_MS });
    this.transmit(frame);
    this.#timer = setTimeout(() => this.#pump(), RESEND_MS);
  }
}

function fail(item, code, message, retryAfterMs = 0) {
  const retryAt = retryAfterMs ? Date.now() + retryAfterMs : 0;
  Object.assign(item, { state: 'failed', echoed: false, error: { code, message }, retryAt });
}
