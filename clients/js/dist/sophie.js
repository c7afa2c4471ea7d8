// The client of Sophie. Built from clients/js/src by `make clients`: change it there. MIT OR Apache-2.0

// src/errors.ts
var SophieError = class extends Error {
  code;
  /** When trying again makes sense, in milliseconds from when this was told; 0 if that was not said. */
  retryAfterMs;
  constructor(code, message, retryAfterMs = 0) {
    super(message);
    this.name = "SophieError";
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
};

// src/growing.ts
var Growing = class {
  /** All of it so far. */
  text = "";
  /** Its length in Unicode scalar values. */
  length = 0;
  /** A piece of it. What is new of that: a piece may overlap with what is known. A hole cannot be mended from here. */
  add(offset, text) {
    if (offset > this.length) return "";
    const known = this.length - offset;
    const fresh = known === 0 ? text : Array.from(text).slice(known).join("");
    this.text += fresh;
    this.length += scalars(fresh);
    return fresh;
  }
  /** All of it, as it is in the end. */
  set(text) {
    this.text = text;
    this.length = scalars(text);
  }
};
function scalars(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

// src/answer.ts
var Answer = class _Answer {
  id;
  group;
  /** The id of the message that it answers. */
  message;
  /** Empty if it is not known: an answer that began before this client came and has not ended, or one that failed. */
  model = "";
  cache = "";
  state = "running";
  /** Its place in the log, when it has ended. */
  seq;
  finishReason = "";
  usage;
  latencyMs;
  /** How long the model thought, as far as that is known: while it writes, from the first piece that came here to the last. */
  reasoningMs;
  /** It thought more than is kept. */
  reasoningCut = false;
  /** Why it failed. */
  error = null;
  /** Grows with every change. */
  version = 0;
  /** Resolves when it has ended, however it ended. */
  ended;
  #text = new Growing();
  #reasoning = new Growing();
  #thinkingSince;
  #end;
  #wakes = /* @__PURE__ */ new Set();
  constructor({ answer, group, message }) {
    this.id = answer;
    this.group = group;
    this.message = message;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }
  /** The answer that an event of the history tells of. */
  static of(event) {
    const answer = new _Answer(event);
    answer.finish(event);
    return answer;
  }
  /** All of it so far. */
  get text() {
    return this.#text.text;
  }
  /** What the model thought so far, if the service shows that; no part of the answer. */
  get reasoning() {
    return this.#reasoning.text;
  }
  /** Its length in Unicode scalar values. */
  get length() {
    return this.#text.length;
  }
  /** Its text piece by piece, from the beginning. Ends with the answer; throws if that fails. */
  async *[Symbol.asyncIterator]() {
    let at = 0;
    for (; ; ) {
      if (this.text.length > at) {
        const piece = this.text.slice(at);
        at = this.text.length;
        yield piece;
      } else if (this.state !== "running") {
        if (this.error) throw this.error;
        return;
      } else {
        await new Promise((wake) => this.#wakes.add(wake));
      }
    }
  }
  /** @internal Its beginning was told. */
  begin(model, cache) {
    this.model = model;
    this.cache = cache;
    this.#changed();
  }
  /** @internal All of it so far, as a new connection is told. What is new of it. */
  resume(text) {
    return this.delta(0, text);
  }
  /** @internal A piece of it. What is new of that; after a hole nothing is, and the whole text comes with the end. */
  delta(offset, text) {
    const fresh = this.state === "running" ? this.#text.add(offset, text) : "";
    if (fresh) this.#changed();
    return fresh;
  }
  /** @internal As `delta`, of what the model thinks. Whether that is heard as it comes: else nobody here knows how long it took. */
  think(offset, text, isLive = true) {
    const fresh = this.state === "running" ? this.#reasoning.add(offset, text) : "";
    if (!fresh) return "";
    if (isLive && this.#reasoning.length === [...fresh].length) this.#thinkingSince = performance.now();
    if (this.#thinkingSince !== void 0) this.reasoningMs = Math.round(performance.now() - this.#thinkingSince);
    this.#changed();
    return fresh;
  }
  /** @internal It has ended, as it is logged. */
  finish(event) {
    this.seq = event.seq;
    this.#text.set(event.text);
    this.#reasoning.set(event.reasoning?.text ?? "");
    this.reasoningMs = event.reasoning?.ms;
    this.reasoningCut = event.reasoning?.cut ?? false;
    this.message = event.message ?? this.message;
    if (event.type === "answer.end") {
      this.state = event.finish_reason === "cancelled" ? "cancelled" : "done";
      this.finishReason = event.finish_reason;
      this.usage = event.usage;
      this.model = event.model ?? this.model;
      this.cache = event.cache ?? this.cache;
      this.latencyMs = event.latency_ms;
    } else {
      this.state = "failed";
      this.error = new SophieError(event.code, event.reason, event.retry_after_ms);
    }
    this.#changed();
    this.#end(this);
  }
  /** @internal Its end is not to be known. */
  lose(error) {
    this.state = "failed";
    this.error = error;
    this.#changed();
    this.#end(this);
  }
  #changed() {
    this.version += 1;
    const wakes = [...this.#wakes];
    this.#wakes.clear();
    for (const wake of wakes) wake();
  }
};

// src/names.ts
var ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
function randomName(length) {
  return Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => ALPHABET[byte % 64]).join("");
}

// src/backoff.ts
var FIRST_MS = 400;
var LONGEST_MS = 2e4;
var LONGEST_ASKED_MS = 10 * 6e4;
var OVERLOADED_ATTEMPT = 3;
var Backoff = class {
  /** How many attempts in a row have failed. */
  attempt = 0;
  #first;
  #longest;
  constructor({ firstMs = FIRST_MS, longestMs = LONGEST_MS } = {}) {
    this.#first = firstMs;
    this.#longest = longestMs;
  }
  /** The next wait, in milliseconds: it doubles, half of it is random so that many clients do not come at once, and what was asked for is kept. */
  next(asked = 0, overloaded = false) {
    if (overloaded) this.attempt = Math.max(this.attempt, OVERLOADED_ATTEMPT);
    const spread = Math.min(this.#longest, this.#first * 2 ** Math.min(this.attempt, 30));
    this.attempt += 1;
    return Math.max(Math.min(asked, LONGEST_ASKED_MS), spread / 2 + Math.random() * spread / 2);
  }
  reset() {
    this.attempt = 0;
  }
};

// src/timers.ts
var LONGEST_MS2 = 2 ** 31 - 1;
var Timers = class {
  #running = /* @__PURE__ */ new Map();
  set(name, delay, action) {
    this.clear(name);
    const run = () => {
      this.#running.delete(name);
      action();
    };
    this.#running.set(name, setTimeout(run, Math.min(Math.max(0, delay), LONGEST_MS2)));
  }
  has(name) {
    return this.#running.has(name);
  }
  clear(name) {
    clearTimeout(this.#running.get(name));
    this.#running.delete(name);
  }
  clearAll() {
    for (const name of [...this.#running.keys()]) this.clear(name);
  }
};

// src/access.ts
var MARGIN_MS = 6e4;
var Access = class {
  #token;
  #getToken;
  #refresh;
  #timers = new Timers();
  #backoff = new Backoff({ firstMs: 1e3, longestMs: 3e4 });
  // Whether another token was asked for because the server refused the last one: not again before one was good.
  #renewed = false;
  #endsAt = Infinity;
  #lifetime = 0;
  constructor(token, getToken, refresh) {
    this.#token = token ?? "";
    this.#getToken = getToken;
    this.#refresh = refresh;
  }
  /** The token that was used last. */
  get current() {
    return this.#token;
  }
  /** The token to connect with; null if there is none for this user. */
  async token() {
    if (this.#getToken && (!this.#token || Date.now() >= this.#endsAt)) {
      const token = await this.#getToken();
      if (token === null) return null;
      this.#token = token;
      this.#endsAt = Infinity;
    }
    return this.#token;
  }
  /** The server refuses the token. Whether another one is worth an attempt. */
  renew() {
    if (!this.#getToken || this.#renewed) return false;
    this.#renewed = true;
    this.#endsAt = 0;
    return true;
  }
  /** The server took the token, which is good for so long, in milliseconds. */
  accepted(expiresInMs) {
    this.#renewed = false;
    if (expiresInMs === void 0) {
      this.#endsAt = Infinity;
      return;
    }
    this.#endsAt = Date.now() + expiresInMs;
    this.#lifetime = Math.max(this.#lifetime, expiresInMs);
    this.#backoff.reset();
    if (this.#getToken) this.#timers.set("refresh", expiresInMs - Math.min(MARGIN_MS, expiresInMs / 3), () => void this.#replace());
  }
  /** There is no connection: the next one asks for what it needs. */
  disconnected() {
    this.#timers.clearAll();
  }
  async #replace() {
    const endsAt = this.#endsAt;
    try {
      const token = await this.#getToken?.();
      if (token === void 0 || token === null || endsAt !== this.#endsAt) return;
      await this.#refresh(token);
      if (endsAt !== this.#endsAt) return;
      this.#token = token;
      this.accepted(lifetime(token) || this.#lifetime);
    } catch {
      if (endsAt === this.#endsAt && Date.now() < endsAt) this.#timers.set("refresh", this.#backoff.next(), () => void this.#replace());
    }
  }
};
function lifetime(token) {
  try {
    const part = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const { exp, iat } = JSON.parse(atob(part));
    if (typeof exp !== "number") return 0;
    const left = exp * 1e3 - Date.now();
    const whole = typeof iat === "number" ? (exp - iat) * 1e3 : left;
    return left > 0 ? Math.min(left, whole) : Math.max(whole, 0);
  } catch {
    return 0;
  }
}

// src/address.ts
var SUBPROTOCOL = "sophie.v1";
var SESSION = /^[A-Za-z0-9_-]{1,64}$/;
var HTTP_TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;
function endpoint(url, session) {
  if (!SESSION.test(session)) throw new TypeError(`${session} is no name of a session: 1 to 64 of A-Z a-z 0-9 _ -`);
  const { document, location } = globalThis;
  const base = document?.baseURI ?? location?.href;
  if (!url && !base) throw new TypeError('Where is the service? new Sophie({ url: "https://chat.example.com" })');
  const at = new URL(url || ".", base);
  if (!at.pathname.endsWith("/")) at.pathname += "/";
  at.search = "";
  at.hash = "";
  const found = new URL(`ws/chat/${encodeURIComponent(session)}`, at);
  if (found.protocol === "https:") found.protocol = "wss:";
  else if (found.protocol === "http:") found.protocol = "ws:";
  if (!/^wss?:$/.test(found.protocol)) throw new TypeError(`${url} is no address of a service: it begins with http, https, ws or wss`);
  return found.href;
}
function handshake(endpoint2, token, since) {
  const url = new URL(endpoint2);
  const protocols = [SUBPROTOCOL];
  if (since?.epoch) {
    url.searchParams.set("since", String(since.seq));
    url.searchParams.set("epoch", since.epoch);
  }
  if (token) {
    if (HTTP_TOKEN.test(token)) protocols.push(`bearer.${token}`);
    else url.searchParams.set("token", token);
  }
  return { url: url.href, protocols };
}
var REFUSALS = [401, 403, 429, 503];
async function explain(endpoint2, token, signal) {
  const url = new URL(endpoint2);
  url.protocol = url.protocol === "wss:" ? "https:" : "http:";
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const response = await fetch(url, { headers, cache: "no-store", signal });
  const { status } = response;
  if (!REFUSALS.includes(status)) return null;
  const body = await response.json().catch(() => null);
  return {
    status,
    code: body?.error?.code ?? "",
    reason: body?.error?.message ?? `The server answered ${status}.`,
    retryInMs: 1e3 * Number(response.headers.get("retry-after")) || 0
  };
}

// src/answers.ts
var REMEMBERED = 32;
var Answers = class {
  #running = /* @__PURE__ */ new Map();
  #ended = /* @__PURE__ */ new Map();
  // By the message that they wait for an answer to.
  #expected = /* @__PURE__ */ new Map();
  // Those that the server no longer writes: their ends are in the log, if it still has them.
  #orphans = /* @__PURE__ */ new Set();
  #events;
  constructor(events) {
    this.#events = events;
  }
  get running() {
    return [...this.#running.values()];
  }
  isRunning(answer) {
    return this.#running.has(answer);
  }
  /** What a server that was just connected to is writing: the others have ended, and how is in their logs, if it is there. */
  ready(told) {
    const alive = new Set(told.map(({ answer }) => answer));
    this.#orphans = new Set([...this.#running.keys()].filter((id) => !alive.has(id)));
  }
  /** Those that it is writing, when it is known which logs go on. */
  resume(told) {
    for (const each of told) {
      const answer = this.#answer(each);
      if (each.reasoning) this.#think(answer, 0, each.reasoning, false);
      this.#grow(answer, 0, each.text);
    }
  }
  take(event) {
    const known = this.#ended.has(event.answer);
    switch (event.type) {
      case "answer.start":
        if (!known) this.#answer(event).begin(event.model, event.cache);
        break;
      case "answer.delta":
        if (!known) this.#grow(this.#answer({ message: "", ...event }), event.offset, event.text);
        break;
      case "answer.reasoning":
        if (!known) this.#think(this.#answer({ message: "", ...event }), event.offset, event.text);
        break;
      default: {
        const answer = this.#answer(event);
        const thought = event.reasoning?.text ?? "";
        if (thought.startsWith(answer.reasoning)) this.#think(answer, 0, thought, false);
        if (event.text.startsWith(answer.text)) this.#grow(answer, 0, event.text);
        answer.finish(event);
        this.#over(answer);
      }
    }
  }
  /** What is known of a group's log no longer connects to what follows: the ends of its orphans are not told any more. */
  stale(group) {
    for (const answer of this.running) {
      if (answer.group === group && this.#orphans.has(answer.id))
        this.#lose(answer, new SophieError("interrupted", "The server stopped before this was finished."));
    }
  }
  /** The session has left a group: nothing more is told of its answers. */
  left(group) {
    for (const answer of this.running) if (answer.group === group) this.#lose(answer, new SophieError("not_member", "The group was left."));
  }
  /** The answer to a message, when it begins. */
  to(message, timeoutMs) {
    const found = [...this.#running.values(), ...this.#ended.values()].find((answer) => answer.message === message);
    if (found) return Promise.resolve(found);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#expected.delete(message);
        reject(new SophieError("no_answer", "No answer began. Perhaps a person has taken over from the assistant."));
      }, timeoutMs);
      this.#expected.set(message, { resolve, reject, timer });
    });
  }
  close(error) {
    for (const { reject, timer } of this.#expected.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#expected.clear();
    for (const answer of this.running) this.#lose(answer, error);
  }
  #answer(told) {
    const known = this.#running.get(told.answer);
    if (known) {
      known.message ||= told.message;
      return known;
    }
    const answer = new Answer(told);
    this.#ended.delete(answer.id);
    this.#running.set(answer.id, answer);
    this.#events.began(answer);
    const expected = this.#expected.get(answer.message);
    if (expected) {
      clearTimeout(expected.timer);
      this.#expected.delete(answer.message);
      expected.resolve(answer);
    }
    return answer;
  }
  #grow(answer, offset, text) {
    const fresh = answer.delta(offset, text);
    if (fresh) this.#events.grew(answer, fresh);
  }
  #think(answer, offset, text, isLive = true) {
    const fresh = answer.think(offset, text, isLive);
    if (fresh) this.#events.thought(answer, fresh);
  }
  #lose(answer, error) {
    answer.lose(error);
    this.#over(answer);
    this.#ended.delete(answer.id);
  }
  #over(answer) {
    this.#running.delete(answer.id);
    this.#orphans.delete(answer.id);
    this.#ended.set(answer.id, answer);
    for (const id of this.#ended.keys()) {
      if (this.#ended.size <= REMEMBERED) break;
      this.#ended.delete(id);
    }
    this.#events.ended(answer);
  }
};

// src/closing.ts
var BAD_TOKEN = 4500;
var OVERLOADED = 4004;
var TOO_LARGE = 1009;
var ABNORMAL = 1006;
var FINAL = /* @__PURE__ */ new Set([1e3, 1002, 1003, 1007, 1008, TOO_LARGE]);
var WORDS = {
  1e3: "The server ended this session.",
  1002: "The server did not understand this client.",
  1003: "The server did not understand this client.",
  1007: "The server did not understand this client.",
  1008: "The server refuses this client.",
  1009: "A message was larger than the server takes."
};
function ending(code, reason, goodbye) {
  const final = goodbye ? !goodbye.reconnect : FINAL.has(code) || code >= 4500 && code <= 4999;
  const words = goodbye?.reason || reason || WORDS[code] || (final ? "The server ended this session." : "");
  return { code: goodbye?.code ?? code, reason: words, final, retryInMs: goodbye?.retry_in_ms ?? 0 };
}

// src/commands.ts
var MOST = 256;
var Commands = class {
  #waiting = /* @__PURE__ */ new Map();
  #online = false;
  #closed = null;
  #transmit;
  #nextId;
  #timeoutMs;
  constructor(transmit, nextId, timeoutMs) {
    this.#transmit = transmit;
    this.#nextId = nextId;
    this.#timeoutMs = timeoutMs;
  }
  ask(type, fields, { again = false, done } = {}) {
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#waiting.size >= MOST) return Promise.reject(new SophieError("queue_full", `${MOST} commands wait already.`));
    const id = this.#nextId();
    const timer = setTimeout(() => this.#end(id)?.reject(new SophieError("timeout", `No reply to ${type} came in time.`)), this.#timeoutMs);
    const waiting = { frame: { type, id, ...fields }, again, sent: false, done, timer };
    waiting.promise = new Promise((resolve, reject) => Object.assign(waiting, { resolve, reject }));
    this.#waiting.set(id, waiting);
    if (this.#online) this.#send(waiting);
    return waiting.promise;
  }
  /** A command whose loss does no harm, and that nobody waits for. */
  tell(type, fields) {
    if (this.#online) this.#transmit({ type, ...fields });
  }
  connected() {
    this.#online = true;
    for (const waiting of [...this.#waiting.values()]) if (!waiting.sent) this.#send(waiting);
  }
  disconnected() {
    this.#online = false;
    for (const [id, waiting] of [...this.#waiting]) {
      if (!waiting.sent) continue;
      if (waiting.again) waiting.sent = false;
      else this.#end(id)?.reject(new SophieError("disconnected", "The connection was lost before the reply came."));
    }
  }
  /** Hands an event to who waits for it; says whether anybody did. */
  settle(event) {
    const waiting = event.id === void 0 ? void 0 : this.#end(event.id);
    if (!waiting) return false;
    if (event.type === "error") {
      waiting.reject(new SophieError(event.code, event.message, event.retry_after_ms));
    } else {
      waiting.done?.(event);
      waiting.resolve(event);
    }
    return true;
  }
  /** Commands may wait for a connection again. */
  open() {
    this.#closed = null;
  }
  /** None is answered any more. */
  close(error) {
    this.#online = false;
    this.#closed = error;
    for (const id of [...this.#waiting.keys()]) {
      const waiting = this.#end(id);
      waiting?.promise.catch(() => {
      });
      waiting?.reject(error);
    }
  }
  #send(waiting) {
    waiting.sent = true;
    this.#transmit(waiting.frame);
  }
  #end(id) {
    const waiting = this.#waiting.get(id);
    clearTimeout(waiting?.timer);
    this.#waiting.delete(id);
    return waiting;
  }
};

// src/emitter.ts
var Emitter = class {
  #handlers = /* @__PURE__ */ new Map();
  /** Calls the handler for every event of this type, until the function that is returned is called. */
  on(type, handler) {
    const handlers = this.#handlers.get(type) ?? /* @__PURE__ */ new Set();
    this.#handlers.set(type, handlers);
    const own = (event) => handler(event);
    handlers.add(own);
    return () => {
      handlers.delete(own);
    };
  }
  /** As `on`, for the next event alone. */
  once(type, handler) {
    const off = this.on(type, (event) => {
      off();
      handler(event);
    });
    return off;
  }
  emit(type, event) {
    for (const handler of [...this.#handlers.get(type) ?? []]) {
      try {
        handler(event);
      } catch (fault) {
        queueMicrotask(() => {
          throw fault;
        });
      }
    }
  }
};

// src/groups.ts
var PASSING = /* @__PURE__ */ new Set(["rate_limited", "store_unavailable", "internal", "timeout"]);
var AGAIN_MS = 2e3;
var Groups = class {
  home;
  #session;
  #heads = /* @__PURE__ */ new Map();
  #names = /* @__PURE__ */ new Set();
  // Those that the program has asked for: joined anew when the server has lost the session.
  #wanted;
  #commands;
  #events;
  #timers = new Timers();
  constructor(session, wanted, commands, events) {
    this.home = `chat_${session}`;
    this.#session = session;
    this.#wanted = new Set(wanted);
    this.#commands = commands;
    this.#events = events;
  }
  /** The session's groups, its own first. */
  get names() {
    return [...this.#names];
  }
  head(group) {
    return this.#heads.get(group);
  }
  ready({ epoch, seq, recovered, groups, logs }) {
    const home = this.#heads.get(this.home);
    const anew = home?.epoch !== epoch;
    const told = new Set(groups);
    for (const group of [...this.#names]) {
      if (told.has(group) || anew && this.#wanted.has(group)) continue;
      this.#wanted.delete(group);
      this.#forget(group);
    }
    for (const group of groups) this.#enter(group);
    for (const group of groups) this.#events.stands(group, logs[group] ?? {});
    if (!home || !recovered) this.#restart(this.home, { epoch, seq });
    for (const [group, head] of Object.entries(logs)) if (group !== this.home) this.#recover(group, head);
    if (anew) {
      for (const group of this.#wanted) if (!told.has(group)) this.#rejoin(group);
    }
  }
  join(group) {
    return this.#join(group);
  }
  /** There is no connection: the next one begins anew. */
  disconnected() {
    this.#timers.clearAll();
  }
  leave(group) {
    this.#wanted.delete(group);
    return this.#commands.ask("group.leave", { group }, { again: true, done: () => this.#forget(group) });
  }
  /** Who came and went: perhaps this very session, by another of its windows, or an operator's hand. */
  membership(event) {
    const { type, group } = event;
    if (!changes(event).some(({ session }) => session === this.#session)) return;
    if (type === "group.left") {
      this.#wanted.delete(group);
      this.#forget(group);
    } else if (!this.#names.has(group)) {
      this.#enter(group);
      this.#events.stale(group, "first");
    }
  }
  /**
   * Takes note of a logged event; says whether it is new. Only events move the point to resume from: an `ack` may overtake events that were
   * logged before it.
   */
  follow(group, seq) {
    const known = this.#heads.get(group);
    if (!known) {
      this.#heads.set(group, { epoch: "", seq });
      return true;
    }
    if (seq <= known.seq) return false;
    const gap = seq > known.seq + 1;
    known.seq = seq;
    if (gap) this.#events.stale(group, "missed");
    return true;
  }
  reset({ group, epoch, seq }) {
    this.#heads.set(group, { epoch, seq });
    this.#events.stale(group, "lost");
  }
  #join(group) {
    const { epoch, seq } = this.#heads.get(group) ?? {};
    const since = epoch ? { since: seq, epoch } : {};
    const done = (ack) => {
      this.#wanted.add(group);
      this.#enter(group);
      this.#events.stands(group, ack);
      if (!ack.recovered) this.#restart(group, { epoch: ack.epoch ?? "", seq: ack.seq ?? 0 });
    };
    return this.#commands.ask("group.join", { group, ...since }, { again: true, done });
  }
  #rejoin(group) {
    this.#join(group).catch((refused) => {
      if (refused.code === "closed") return;
      if (PASSING.has(refused.code)) {
        this.#timers.set(group, refused.retryAfterMs || AGAIN_MS, () => this.#rejoin(group));
        return;
      }
      this.#wanted.delete(group);
      this.#forget(group);
      this.#events.failed(group, refused);
    });
  }
  #recover(group, head) {
    const known = this.#heads.get(group);
    if (known?.epoch !== head.epoch) this.#restart(group, head);
    else if (known.seq < head.seq)
      this.#join(group).catch((refused) => {
        if (refused.code !== "closed" && this.#names.has(group)) this.#restart(group, head);
      });
  }
  #restart(group, head) {
    const known = this.#heads.get(group);
    this.#heads.set(group, { epoch: head.epoch, seq: head.seq });
    this.#events.stale(group, !known ? "first" : known.epoch && known.epoch !== head.epoch ? "lost" : "missed");
  }
  #enter(group) {
    if (this.#names.has(group)) return;
    this.#names.add(group);
    this.#events.joined(group);
  }
  #forget(group) {
    this.#heads.delete(group);
    if (this.#names.delete(group)) this.#events.left(group);
  }
};
function changes({ session, user, members }) {
  if (members) return members;
  return session === void 0 ? [] : [{ session, user: user ?? "" }];
}

// src/line.ts
var PONG_WAIT_MS = 1e4;
var READY_WAIT_MS = 15e3;
var STABLE_AFTER_MS = 5e3;
var ERROR_WAIT_MS = 50;
var Line = class {
  state = { phase: "idle" };
  #options;
  #socket = null;
  #timers = new Timers();
  #goodbye = null;
  #notBefore = 0;
  #pingIntervalMs = 25e3;
  // Each attempt has a number: what comes of an earlier one is of no concern any more.
  #turn = 0;
  #asking = null;
  constructor(options) {
    this.#options = options;
  }
  /** Connects at once, however long it was to wait. */
  start() {
    if (this.state.phase === "open" || this.state.phase === "connecting") return;
    this.#options.backoff.reset();
    this.#notBefore = 0;
    this.#dial();
  }
  stop(code, reason) {
    this.#drop();
    this.#say({ phase: "closed", code, reason });
  }
  /** The network is back, or somebody looks at the page again: do not wait for a timer to find out. */
  wake() {
    if (this.state.phase === "waiting" && Date.now() >= this.#notBefore) this.#dial();
    else if (this.state.phase === "open") this.#ping();
  }
  transmit(frame) {
    this.#socket?.send(JSON.stringify(frame));
  }
  #dial() {
    this.#drop();
    const { access, backoff } = this.#options;
    const turn = this.#turn;
    this.#timers.set("ready", READY_WAIT_MS, () => this.#ended(0, "The server did not answer in time.", false));
    this.#say({ phase: "connecting", attempt: backoff.attempt });
    if (turn !== this.#turn) return;
    access.token().then(
      (token) => {
        if (turn !== this.#turn) return;
        if (token === null) this.#final({ code: BAD_TOKEN, reason: "There is no token for this user.", final: true, retryInMs: 0 });
        else this.#open(token);
      },
      (fault) => {
        if (turn === this.#turn) this.#ended(0, `The token could not be got: ${fault instanceof Error ? fault.message : String(fault)}`, true);
      }
    );
  }
  #open(token) {
    const { url, protocols } = handshake(this.#options.endpoint, token, this.#options.since());
    let socket;
    try {
      socket = new this.#options.socket(url, protocols);
    } catch (fault) {
      const reason = `This address cannot be connected to: ${fault instanceof Error ? fault.message : String(fault)}`;
      this.#final({ code: 0, reason, final: true, retryInMs: 0 });
      return;
    }
    this.#socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onerror = () => {
      if (socket === this.#socket) this.#timers.set("error", ERROR_WAIT_MS, () => this.#ended(ABNORMAL, "", opened));
    };
    socket.onclose = ({ code, reason }) => this.#ended(code, String(reason ?? ""), opened);
  }
  #receive(data) {
    let event;
    try {
      event = JSON.parse(String(data));
    } catch {
      return;
    }
    this.#heard();
    if (event.type === "session.closing") this.#goodbye = event;
    if (event.type === "session.ready") this.#ready(event);
    else this.#options.heard(event);
  }
  #ready(event) {
    const { access, backoff, ready } = this.#options;
    this.#timers.clear("ready");
    this.#timers.set("stable", STABLE_AFTER_MS, () => backoff.reset());
    access.accepted(event.expires_in_ms);
    this.#pingIntervalMs = event.ping_interval_ms || this.#pingIntervalMs;
    this.#heard();
    const turn = this.#turn;
    this.state = { phase: "open" };
    ready(event);
    if (turn === this.#turn) this.#options.state(this.state);
  }
  // Any frame proves that the connection lives; silence makes us ask.
  #heard() {
    this.#timers.clear("pong");
    if (this.#socket) this.#timers.set("ping", this.#pingIntervalMs, () => this.#ping());
  }
  #ping() {
    if (this.#timers.has("pong")) return;
    this.transmit({ type: "ping" });
    this.#timers.set("pong", PONG_WAIT_MS, () => this.#ended(0, "The server does not answer any more.", true));
  }
  #ended(code, reason, opened) {
    const end = ending(code, reason, this.#goodbye);
    const { access, backoff } = this.#options;
    if (end.code === BAD_TOKEN && access.renew()) Object.assign(end, { final: false });
    if (end.final) {
      this.#final(end);
      return;
    }
    this.#drop();
    this.#options.lost(end);
    const turn = this.#turn;
    const delay = backoff.next(end.retryInMs, end.code === OVERLOADED);
    this.#notBefore = Date.now() + end.retryInMs;
    this.#wait(delay, end.code, end.reason);
    if (turn === this.#turn && !opened && backoff.attempt > 1) void this.#explain();
  }
  #final(end) {
    this.#drop();
    this.#options.lost(end);
    this.stop(end.code, end.reason);
  }
  #wait(delay, code, reason) {
    this.#timers.set("retry", delay, () => this.#dial());
    this.#say({ phase: "waiting", attempt: this.#options.backoff.attempt, retryAt: Date.now() + delay, code, reason });
  }
  // A refused handshake shows nothing but that it failed: why is asked over plain HTTP.
  async #explain() {
    const turn = this.#turn;
    const { access, endpoint: endpoint2 } = this.#options;
    this.#asking = new AbortController();
    const why = await explain(endpoint2, access.current, this.#asking.signal).catch(() => null);
    if (!why || turn !== this.#turn) return;
    if (why.status === 401) {
      if (access.renew()) this.#dial();
      else this.stop(why.status, why.reason);
    } else if (why.status === 403) {
      this.stop(why.status, why.reason);
    } else if (this.state.phase === "waiting") {
      this.#notBefore = Date.now() + why.retryInMs;
      this.#wait(why.retryInMs || Math.max(0, this.state.retryAt - Date.now()), why.status, why.reason);
    }
  }
  // Lets go of the socket. A dead one may take minutes to close, so its end is not waited for.
  #drop() {
    this.#turn += 1;
    this.#timers.clearAll();
    this.#asking?.abort();
    this.#asking = null;
    this.#goodbye = null;
    this.#options.access.disconnected();
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
  #say(state) {
    this.state = state;
    this.#options.state(state);
  }
};

// src/outbox.ts
var RESEND_MS = 2e4;
var LONGEST_BACKOFF_MS = 15e3;
var SAFE_RETRY_MS = 9.5 * 6e4;
var MOST_FAULTS = 5;
var Outbox = class {
  #items = [];
  #online = false;
  #closed = null;
  // Until then the server takes nothing from this user: asking would only be refused.
  #heldUntil = 0;
  #timer;
  #options;
  constructor(options) {
    this.#options = options;
  }
  /** What waits, in the order in which it was said. */
  get items() {
    return this.#items;
  }
  add(id, group, text, options) {
    const known = this.#items.find((item2) => item2.id === id);
    if (known) return known.promise;
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#items.length >= this.#options.most)
      return Promise.reject(new SophieError("queue_full", `${this.#options.most} messages wait to be sent already.`));
    const { assistant = true, images, metadata, steer, wait = false } = options;
    const sound = text.toWellFormed?.() ?? text;
    const frame = { type: "message.send", id, group, text: sound, assistant };
    if (images?.length) frame.images = images;
    if (metadata !== void 0) frame.metadata = metadata;
    if (steer) frame.steer = true;
    if (new TextEncoder().encode(JSON.stringify(frame)).length > this.#options.maxFrameBytes)
      return Promise.reject(new SophieError("too_large", "This message is too long. Send it in parts."));
    const waits = typeof wait === "function" ? wait : () => wait;
    const item = { id, group, text: sound, assistant, frame, waits, held: wait !== false };
    Object.assign(item, { state: "queued", delayedBy: null, retryAt: 0, failures: 0, notBefore: 0, firstSentAt: 0 });
    item.promise = new Promise((resolve, reject) => Object.assign(item, { resolve, reject }));
    this.#items.push(item);
    this.#changed();
    return item.promise;
  }
  /**
   * Takes back a message that is not under way just now, and says whether that is certain: one of which it is not known whether the server has it
   * is not sent again, and rejected with `unconfirmed`.
   */
  withdraw(id) {
    const item = this.#items.find((candidate) => candidate.id === id);
    if (!item || item.state === "sent") return false;
    this.#remove(item);
    const unsaid = !item.firstSentAt;
    item.reject(unsaid ? new SophieError("withdrawn", "This message was taken back.") : unconfirmed());
    this.#changed();
    return unsaid;
  }
  connected() {
    this.#online = true;
    this.#pump();
  }
  disconnected() {
    this.#online = false;
    clearTimeout(this.#timer);
    for (const item of this.#items) if (item.state === "sent") Object.assign(item, { state: "queued", notBefore: 0 });
  }
  acknowledged({ id, seq = 0, message = "", limits }) {
    const item = this.#items.find((candidate) => candidate.id === id);
    if (!item) return;
    this.#remove(item);
    item.resolve({ id, group: item.group, seq, message, ...limits && { limits } });
    this.#changed();
  }
  /** Takes note of a refusal; says whether it was one of a message that waits. */
  refused({ id, code, message, retry_after_ms: retryAfterMs = 0 }) {
    const item = this.#items.find((candidate) => candidate.id === id);
    if (!item) return false;
    const error = new SophieError(code, message, retryAfterMs);
    const limited = code === "rate_limited";
    const passing = code === "store_unavailable" || code === "internal" && item.failures < MOST_FAULTS;
    if (limited) this.#heldUntil = Date.now() + retryAfterMs;
    if (passing || (limited || code === "busy") && item.waits(error)) {
      const backoff = retryAfterMs || Math.min(LONGEST_BACKOFF_MS, 500 * 2 ** Math.min(item.failures, 10));
      item.failures += 1;
      if (!passing) item.firstSentAt = 0;
      const retryAt = Date.now() + backoff;
      Object.assign(item, { state: "queued", delayedBy: error, notBefore: retryAt, retryAt });
    } else {
      this.#remove(item);
      item.reject(error);
    }
    this.#changed();
    return true;
  }
  /** An answer has ended: there may be a place for the next one. */
  freed() {
    for (const item of this.#items) if (item.state === "queued" && item.delayedBy?.code === "busy") Object.assign(item, { notBefore: 0, retryAt: 0 });
    this.#pump();
  }
  /** The server closed because a frame was too large: sending it again would end every connection. */
  tooLarge() {
    const size = ({ frame }) => JSON.stringify(frame).length;
    const [item] = this.#items.filter(({ firstSentAt }) => firstSentAt).sort((a, b) => size(b) - size(a));
    if (!item) return;
    this.#remove(item);
    item.reject(new SophieError("too_large", "This message is too long. Send it in parts."));
    this.#changed();
  }
  /** Messages may wait for a connection again. */
  open() {
    this.#closed = null;
  }
  /** Nothing is sent any more. */
  close(error) {
    this.#closed = error;
    this.disconnected();
    const items = this.#items;
    this.#items = [];
    for (const item of items) {
      item.promise.catch(() => {
      });
      item.reject(error);
    }
    if (items.length) this.#options.changed();
  }
  #remove(item) {
    this.#items = this.#items.filter((candidate) => candidate !== item);
  }
  #changed() {
    this.#pump();
    this.#options.changed();
  }
  #pump() {
    clearTimeout(this.#timer);
    if (!this.#online) return;
    const now = Date.now();
    let next = Infinity;
    const seen = /* @__PURE__ */ new Set();
    for (const item of [...this.#items]) {
      if (seen.has(item.group)) continue;
      seen.add(item.group);
      const from = Math.max(item.notBefore, item.held ? this.#heldUntil : 0);
      if (from > now) next = Math.min(next, from);
      else if (this.#transmit(item, now)) next = Math.min(next, now + RESEND_MS);
      else seen.delete(item.group);
    }
    if (next < Infinity) this.#timer = setTimeout(() => this.#pump(), Math.max(1, next - now));
  }
  #transmit(item, now) {
    if (item.firstSentAt && now - item.firstSentAt > SAFE_RETRY_MS) {
      this.#remove(item);
      item.reject(unconfirmed());
      queueMicrotask(() => this.#options.changed());
      return false;
    }
    Object.assign(item, { state: "sent", retryAt: 0, firstSentAt: item.firstSentAt || now, notBefore: now + RESEND_MS });
    this.#options.transmit(item.frame);
    return true;
  }
};
var unconfirmed = () => new SophieError("unconfirmed", "It is not known whether this was delivered.");

// src/presence.ts
var AGAIN_MS2 = 400;
var REFRESH_MS = 3e4;
var Presence = class {
  group;
  /** How many there are, of whom `members` may name less. */
  total = 0;
  #members = /* @__PURE__ */ new Map();
  #timers = new Timers();
  #commands;
  #changed;
  #over;
  #stopped = false;
  constructor(group, commands, changed, over) {
    this.group = group;
    this.#commands = commands;
    this.#changed = changed;
    this.#over = over;
    void this.refresh();
  }
  /** Those that are there, once for each session: at most 1,000. */
  get members() {
    return [...this.#members.values()];
  }
  /** Asks the server anew. */
  async refresh() {
    if (this.#stopped) return;
    this.#timers.clear("again");
    this.#timers.set("refresh", REFRESH_MS, () => void this.refresh());
    try {
      await this.#commands.ask("group.members", { group: this.group }, { again: true, done: (reply) => this.#take(reply) });
    } catch {
    }
  }
  /** No more of it: its timers end. */
  stop() {
    this.#stopped = true;
    this.#timers.clearAll();
    this.#over();
  }
  /** @internal Somebody came or went. */
  membership(event) {
    const before = this.#members.size;
    for (const who of changes(event)) {
      if (event.type === "group.left") this.#members.delete(who.session);
      else if (!this.#members.has(who.session)) this.#members.set(who.session, who);
    }
    this.total = event.total ?? this.total + this.#members.size - before;
    this.#changed(this);
    this.soon();
  }
  /** @internal There is a new connection, or a change that names nobody. */
  soon() {
    if (!this.#timers.has("again")) this.#timers.set("again", AGAIN_MS2, () => void this.refresh());
  }
  #take({ members, total }) {
    if (this.#stopped) return;
    this.#members = new Map(members.map((member) => [member.session, member]));
    this.total = total;
    this.#changed(this);
  }
};

// src/standings.ts
var Standings = class {
  // Those in which it is not as it mostly is.
  #off = /* @__PURE__ */ new Set();
  #asked = /* @__PURE__ */ new Set();
  #events;
  constructor(events) {
    this.#events = events;
  }
  /** Whether the assistant answers in a group. */
  assistant(group) {
    return !this.#off.has(group);
  }
  /** Whether a group waits for a person. */
  asked(group) {
    return this.#asked.has(group);
  }
  /** How a group stands, as a connect or a join tells: what has changed meanwhile is told. */
  stands(group, standing) {
    const on = standing.assistant !== false;
    if (on !== this.assistant(group)) this.turned({ type: "assistant", group, on });
    const asked = standing.person === "asked";
    if (asked !== this.asked(group)) this.wanted({ type: "person", group, state: asked ? "asked" : on ? "dismissed" : "taken" });
  }
  turned(event) {
    if (event.on) this.#off.delete(event.group);
    else this.#off.add(event.group);
    this.#events.assistant(event);
  }
  wanted(event) {
    if (event.state === "asked") this.#asked.add(event.group);
    else this.#asked.delete(event.group);
    this.#events.person(event);
  }
  left(group) {
    this.#off.delete(group);
    this.#asked.delete(group);
  }
};

// src/wakeups.ts
function wakeups(wake) {
  const page = globalThis;
  const { document } = page;
  if (!document || !page.addEventListener) return () => {
  };
  const seen = () => {
    if (!document.hidden) wake();
  };
  const told = [
    [page, "online", wake],
    // A page that comes back out of a browser's cache has lost its connection.
    [page, "pageshow", wake],
    [document, "visibilitychange", seen]
  ];
  for (const [target, type, listener] of told) target.addEventListener?.(type, listener);
  return () => {
    for (const [target, type, listener] of told) target.removeEventListener?.(type, listener);
  };
}

// src/session.ts
var MAX_FRAME_BYTES = 208384;
var MAX_QUEUED = 100;
var TIMEOUT_MS = 3e4;
var Session = class {
  emitter = new Emitter();
  line;
  commands;
  outbox;
  groups;
  answers;
  standings;
  presences = /* @__PURE__ */ new Map();
  /** What was told at the last connect. */
  last = null;
  #prefix = randomName(8);
  #counter = 0;
  #connecting = null;
  #unhear = () => {
  };
  constructor(url, session, options) {
    const socket = options.WebSocket ?? globalThis.WebSocket;
    if (!socket) throw new TypeError("There is no WebSocket here. Pass one: new Sophie({ WebSocket }).");
    const { emitter } = this;
    const transmit = this.#transmit.bind(this);
    this.commands = new Commands(transmit, () => this.nextId(), options.timeoutMs ?? TIMEOUT_MS);
    this.outbox = new Outbox({
      transmit,
      changed: () => emitter.emit("sending", this.outbox.items),
      most: options.maxQueued ?? MAX_QUEUED,
      maxFrameBytes: options.maxFrameBytes ?? MAX_FRAME_BYTES
    });
    this.answers = new Answers({
      began: (answer) => emitter.emit("answer", answer),
      grew: (answer, text) => emitter.emit("answer.delta", { answer, text }),
      thought: (answer, text) => emitter.emit("answer.reasoning", { answer, text }),
      ended: (answer) => {
        emitter.emit("answer.end", answer);
        this.outbox.freed();
      }
    });
    this.standings = new Standings({
      assistant: (event) => emitter.emit("assistant", event),
      person: (event) => emitter.emit("person", event)
    });
    this.groups = new Groups(session, options.groups ?? [], this.commands, {
      stale: (group, reason) => this.#stale(group, reason),
      joined: (group) => emitter.emit("joined", { group }),
      left: (group) => this.#left(group),
      stands: (group, standing) => this.standings.stands(group, standing),
      failed: (group, error) => emitter.emit("error", new SophieError(error.code, `${group} could not be joined again: ${error.message}`))
    });
    this.line = new Line({
      endpoint: endpoint(url, session),
      access: new Access(options.token, options.getToken, (token) => this.commands.ask("auth.refresh", { token })),
      socket,
      backoff: new Backoff(options.backoff),
      since: () => this.groups.head(this.groups.home),
      ready: (event) => this.#ready(event),
      heard: (event) => this.#heard(event),
      lost: (end) => this.#lost(end),
      state: (state) => this.#changed(state)
    });
  }
  connect() {
    if (this.line.state.phase === "open" && this.last) return Promise.resolve(this.last);
    this.#connecting ??= deferred();
    const { promise } = this.#connecting;
    this.commands.open();
    this.outbox.open();
    this.#unhear();
    this.#unhear = wakeups(() => this.line.wake());
    this.line.start();
    return promise;
  }
  history(group, more) {
    return this.commands.ask("history.get", { group, ...more }, { again: true });
  }
  presence(group) {
    const known = this.presences.get(group);
    if (known) return known;
    const changed = (presence2) => this.emitter.emit("presence", presence2);
    const presence = new Presence(group, this.commands, changed, () => this.presences.delete(group));
    this.presences.set(group, presence);
    return presence;
  }
  nextId() {
    this.#counter += 1;
    return `${this.#prefix}-${this.#counter}`;
  }
  #transmit(frame) {
    this.line.transmit(frame);
  }
  #ready(event) {
    this.last = event;
    this.emitter.emit("frame", event);
    this.answers.ready(event.answers);
    this.emitter.emit("ready", event);
    this.groups.ready(event);
    if (this.line.state.phase !== "open") return;
    this.answers.resume(event.answers);
    for (const presence of this.presences.values()) presence.soon();
    this.commands.connected();
    this.outbox.connected();
    this.#connecting?.resolve(event);
    this.#connecting = null;
  }
  #heard(event) {
    const { emitter } = this;
    emitter.emit("frame", event);
    switch (event.type) {
      case "ack":
        if (!this.commands.settle(event)) this.outbox.acknowledged(event);
        break;
      case "error":
        if (!this.commands.settle(event) && !this.outbox.refused(event))
          emitter.emit("error", new SophieError(event.code, event.message, event.retry_after_ms));
        break;
      case "history":
      case "group.members":
      case "pong":
        this.commands.settle(event);
        break;
      case "log.reset":
        this.groups.reset(event);
        break;
      case "message":
        if (this.groups.follow(event.group, event.seq)) emitter.emit("message", event);
        break;
      case "answer.start":
      case "answer.delta":
      case "answer.reasoning":
        this.answers.take(event);
        break;
      case "answer.end":
      case "answer.error":
        if (this.groups.follow(event.group, event.seq) || this.answers.isRunning(event.answer)) this.answers.take(event);
        break;
      case "group.joined":
      case "group.left":
        this.presences.get(event.group)?.membership(event);
        emitter.emit("members", event);
        this.groups.membership(event);
        break;
      case "typing":
        emitter.emit("typing", event);
        break;
      case "assistant":
        this.standings.turned(event);
        break;
      case "person":
        this.standings.wanted(event);
        break;
      case "event":
        emitter.emit("event", event);
        break;
      default:
    }
  }
  #lost({ code }) {
    if (code === TOO_LARGE) this.outbox.tooLarge();
    this.commands.disconnected();
    this.outbox.disconnected();
    this.groups.disconnected();
  }
  #changed(state) {
    if (state.phase === "closed") this.#end(new SophieError("closed", state.reason));
    this.emitter.emit("state", state);
  }
  #end(error) {
    this.#unhear();
    this.#unhear = () => {
    };
    this.commands.close(error);
    this.outbox.close(error);
    this.answers.close(error);
    this.groups.disconnected();
    for (const presence of [...this.presences.values()]) presence.stop();
    this.#connecting?.reject(error);
    this.#connecting = null;
  }
  #stale(group, reason) {
    this.answers.stale(group);
    this.emitter.emit("stale", { group, reason, read: (limit) => this.history(group, { limit }) });
  }
  #left(group) {
    this.answers.left(group);
    this.standings.left(group);
    this.presences.get(group)?.stop();
    this.emitter.emit("left", { group });
  }
};
function deferred() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  made.promise.catch(() => {
  });
  return made;
}

// src/typist.ts
var EVERY_MS = 1e3;
var MOST2 = 64;
var Typist = class {
  #told = /* @__PURE__ */ new Map();
  /** Whether it is time to tell it again. */
  may(group) {
    const now = Date.now();
    if (now - (this.#told.get(group) ?? 0) < EVERY_MS) return false;
    if (this.#told.size >= MOST2) this.#told.clear();
    this.#told.set(group, now);
    return true;
  }
};

// src/sophie.ts
var BEGIN_MS = 3e4;
var Sophie = class _Sophie {
  /** Where a script of a page came from: the default for `url`. */
  static origin;
  /** Its name. One session is one conversation. */
  session;
  /** The session's own group. */
  home;
  #parts;
  #typist = new Typist();
  constructor(options = {}) {
    this.session = options.session ?? randomName(22);
    this.#parts = new Session(options.url ?? _Sophie.origin ?? "", this.session, options);
    this.home = this.#parts.groups.home;
  }
  /** How the connection is doing. */
  get state() {
    return this.#parts.line.state;
  }
  /** Who this is, as the server says; empty before it was connected. */
  get user() {
    return this.#parts.last?.user ?? "";
  }
  /** The groups that this session is in, its own first. */
  get groups() {
    return this.#parts.groups.names;
  }
  /** The answers that are being written. */
  get answers() {
    return this.#parts.answers.running;
  }
  /** What was said and is not confirmed yet, oldest first. */
  get sending() {
    return this.#parts.outbox.items;
  }
  /** Calls the handler for every event of this type, until the function that is returned is called. */
  on(type, handler) {
    return this.#parts.emitter.on(type, handler);
  }
  /** As `on`, for the next event alone. */
  once(type, handler) {
    return this.#parts.emitter.once(type, handler);
  }
  /**
   * Connects, and stays connected: again and again until `close`, or until the server ends the session. Resolves when the session is ready;
   * rejects if it ends before that. Need not be awaited. While a next attempt is waited for, it is made at once.
   */
  connect() {
    return this.#parts.connect();
  }
  /** Looks after the connection now: makes the next attempt, or asks whether the server is still there. Pages of browsers do it by themselves. */
  wake() {
    this.#parts.line.wake();
  }
  /** Ends all of it: what waits is rejected with `closed`. `connect` begins anew. */
  close() {
    if (this.state.phase !== "closed") this.#parts.line.stop(1e3, "This client was closed.");
  }
  /** Says something. It is kept until the server has it, over lost connections too, and is said once. */
  send(text, options = {}) {
    return this.#parts.outbox.add(options.id ?? this.#parts.nextId(), options.group ?? this.home, text, options);
  }
  /** Takes back a message that is not under way just now, by its id; says whether it is certain that it was not said. */
  withdraw(id) {
    return this.#parts.outbox.withdraw(id);
  }
  /** Asks something: the answer, as soon as it begins. `timeoutMs` (30,000) is how long it may take to begin. */
  async ask(text, { timeoutMs = BEGIN_MS, ...options } = {}) {
    const { message } = await this.send(text, options);
    return this.#parts.answers.to(message, timeoutMs);
  }
  /** Ends an answer; what was written stays. */
  cancel(answer) {
    const id = typeof answer === "string" ? answer : answer.id;
    return this.#parts.commands.ask("answer.cancel", { answer: id }, { again: true });
  }
  /** Asks for another answer to a message. */
  retry(message) {
    return this.#parts.commands.ask("answer.retry", { message });
  }
  /** Becomes a member of a group, and stays one. */
  join(group) {
    return this.#parts.groups.join(group);
  }
  leave(group) {
    return this.#parts.groups.leave(group);
  }
  /** Who is in a group just now. */
  members(group = this.home) {
    return this.#parts.commands.ask("group.members", { group }, { again: true });
  }
  /** Who is in a group, kept up to date: the event `presence` tells of each change. `stop()` it when it is no longer shown. */
  presence(group = this.home) {
    return this.#parts.presence(group);
  }
  /** Tells the others that somebody is typing here. To be called as often as one likes. */
  typing(group = this.home) {
    if (this.#typist.may(group)) this.#parts.commands.tell("group.typing", { group });
  }
  /** What was logged, oldest first: the newest `limit` (1 to 100, 50 by default), or those before a `seq`. */
  history(group = this.home, { before, limit } = {}) {
    return this.#parts.history(group, { before, limit });
  }
  /** All of what is logged, newest first, read as it is asked for. */
  async *past(group = this.home) {
    let before;
    for (; ; ) {
      const { events, more } = await this.#parts.history(group, { limit: 100, before });
      yield* [...events].reverse();
      const oldest = events[0];
      if (!more || !oldest) return;
      before = oldest.seq;
    }
  }
  /** What somebody thinks of an answer (-1 or 1), or of the whole chat (1 to 5). */
  feedback(rating, { answer, text } = {}) {
    const id = typeof answer === "object" ? answer.id : answer;
    return this.#parts.commands.ask("feedback", { rating, answer: id, text }, { again: true });
  }
  /** Asks for a person, where the service offers that. */
  askForPerson({ group, text } = {}) {
    return this.#parts.commands.ask("person.ask", { group, text }, { again: true });
  }
  /** Who answers in a group: the assistant, or a person who has taken over; and whether the group waits for one. */
  standing(group = this.home) {
    const { standings } = this.#parts;
    return { assistant: standings.assistant(group), asked: standings.asked(group) };
  }
  /** Any command of the protocol, for what has no method here. It is not sent again after a lost connection. */
  command(type, fields = {}) {
    return this.#parts.commands.ask(type, fields);
  }
  /** Where a group's log was read to. */
  position(group = this.home) {
    const head = this.#parts.groups.head(group);
    return head && { ...head };
  }
};
export {
  Answer,
  Sophie,
  SophieError,
  randomName
};
