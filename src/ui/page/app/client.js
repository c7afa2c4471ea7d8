// A client of the chat protocol `sophie.v1`. It knows no DOM, so that it serves any JavaScript program.
//
// Owns: one WebSocket at a time, when to reconnect, and how far each group's log was read (`since` and `epoch`).
// Gives: every event of the server to `onEvent`, in order, plus one of its own:
//   {type: 'log.rebuild', group, epoch, lost}   what is known of this group's log no longer connects to what follows;
//                                               `lost` tells that a new log has begun. Ask `history` for it.

import { randomName } from './names.js';
import { Outbox } from './outbox.js';
import { Refused, Replies } from './replies.js';
import { Timers } from './timers.js';

const SUBPROTOCOL = 'sophie.v1';
const PONG_WAIT_MS = 10_000;
const READY_WAIT_MS = 15_000;
const FIRST_DELAY_MS = 400;
const LONGEST_DELAY_MS = 20_000;
// A connection has to last this long before the next failure counts as the first one again.
const STABLE_AFTER_MS = 5_000;

export class Client {
  #socket = null;
  #timers = new Timers();
  #replies = new Replies();
  #logs = new Map();
  #attempt = 0;
  #notBefore = 0;
  #closing = null;
  #counter = 0;
  #prefix = randomName(8);

  // `endpoint` is the WebSocket address without query; `explain` (optional) may say why connecting fails, see #explain.
  constructor({ endpoint, session, token = '', onEvent, onState, explain = null }) {
    Object.assign(this, { endpoint, session, token, onEvent, onState, explain });
    this.home = `chat_${session}`;
    this.user = '';
    this.phase = 'stopped';
    this.pingIntervalMs = 25_000;
    this.outbox = new Outbox({
      transmit: (frame) => this.#transmit(frame),
      nextId: () => this.#nextId(),
      onChange: () => this.onEvent({ type: 'outbox' }),
    });
  }

  get online() {
    return this.phase === 'online';
  }

  start() {
    this.#attempt = 0;
    this.#notBefore = 0;
    this.#connect();
  }

  stop(reason = '') {
    this.#drop();
    this.#state('stopped', reason);
  }

  // The network is back, or somebody looks at the page again: do not wait for a timer to find out.
  wake() {
    if (this.phase === 'waiting' && Date.now() >= this.#notBefore) this.#connect();
    else if (this.phase === 'online') this.#ping();
  }

  // A command that is answered; rejects with `Refused`, whose code is `disconnected` when the connection ended first.
  request(type, fields = {}) {
    if (!this.online) return Promise.reject(new Refused('disconnected', 'There is no connection right now.'));
    const id = this.#nextId();
    const reply = this.#replies.to(id);
    this.#transmit({ type, id, ...fields });
    return reply;
  }

  // A command whose loss does no harm.
  notify(type, fields = {}) {
    if (this.online) this.#transmit({ type, ...fields });
  }

  async join(group) {
    const ack = await this.request('group.join', { group });
    this.#logs.set(group, { epoch: ack.epoch, seq: ack.seq });
    return ack;
  }

  async leave(group) {
    await this.request('group.leave', { group });
    this.#logs.delete(group);
  }

  history(group, before) {
    return this.request('history.get', before === undefined ? { group } : { group, before });
  }

  #nextId() {
    this.#counter += 1;
    return `${this.#prefix}-${this.#counter}`;
  }

  #transmit(frame) {
    this.#socket?.send(JSON.stringify(frame));
  }

  #connect() {
    this.#drop();
    this.#state('connecting');
    const { url, protocols } = this.#address();
    let socket;
    try {
      socket = new WebSocket(url, protocols);
    } catch (error) {
      this.#state('stopped', `This address cannot be connected to: ${error.message}`);
      return;
    }
    this.#socket = socket;
    this.#closing = null;
    let opened = false;
    socket.onopen = () => {
      opened = true;
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code }) => this.#closed(code, opened);
    this.#timers.set('ready', READY_WAIT_MS, () => this.#closed(0, opened));
  }

  #address() {
    const url = new URL(this.endpoint);
    const protocols = [SUBPROTOCOL];
    const known = this.#logs.get(this.home);
    if (known) {
      url.searchParams.set('since', known.seq);
      url.searchParams.set('epoch', known.epoch);
    }
    if (this.token) {
      // A subprotocol is an HTTP token: what does not fit goes into the query, which is as good but for proxies' logs.
      if (/^[\w!#$%&'*+.^`|~-]+$/.test(this.token)) protocols.push(`bearer.${this.token}`);
      else url.searchParams.set('token', this.token);
    }
    return { url: url.href, protocols };
  }

  #receive(data) {
    let event;
    try {
      event = JSON.parse(data);
    } catch {
      return;
    }
    this.#heard();
    switch (event.type) {
      case 'session.ready':
        this.#ready(event);
        return;
      case 'session.closing':
        this.#closing = event;
        return;
      case 'pong':
        this.#replies.settle(event);
        return;
      case 'log.reset':
        this.#logs.set(event.group, { epoch: event.epoch, seq: event.seq });
        this.onEvent({ type: 'log.rebuild', group: event.group, epoch: event.epoch, lost: true });
        return;
      case 'ack':
        if (!this.#replies.settle(event)) this.outbox.acknowledged(event);
        return;
      case 'error':
        if (!this.#replies.settle(event)) this.outbox.refused(event);
        return;
      case 'history':
      case 'group.members':
        if (!this.#replies.settle(event)) this.onEvent(event);
        return;
      default:
        this.#follow(event);
        this.onEvent(event);
    }
  }

  // Only events move the point to resume from: an `ack` may overtake events that were logged before it.
  #follow({ group, seq }) {
    const known = this.#logs.get(group);
    if (seq === undefined || !known) return;
    const gap = seq > known.seq + 1;
    known.seq = Math.max(known.seq, seq);
    if (gap) this.onEvent({ type: 'log.rebuild', group, epoch: known.epoch, lost: false });
  }

  #ready(event) {
    this.#timers.clear('ready');
    this.#timers.set('stable', STABLE_AFTER_MS, () => {
      this.#attempt = 0;
    });
    this.user = event.user;
    this.pingIntervalMs = event.ping_interval_ms || this.pingIntervalMs;
    this.#heard();
    this.phase = 'online';
    this.onEvent(event);
    const groups = new Set(event.groups);
    for (const group of [...this.#logs.keys()]) if (!groups.has(group) && group !== this.home) this.#logs.delete(group);
    const home = this.#logs.get(this.home);
    if (!home || !event.recovered) this.#restart(this.home, { epoch: event.epoch, seq: event.seq });
    for (const [group, head] of Object.entries(event.logs ?? {})) if (group !== this.home) this.#recover(group, head);
    this.#state('online');
    this.outbox.connected();
  }

  #recover(group, head) {
    const known = this.#logs.get(group);
    if (!known || known.epoch !== head.epoch) {
      this.#restart(group, head);
    } else if (known.seq < head.seq) {
      this.request('group.join', { group, since: known.seq, epoch: known.epoch })
        .then((ack) => ack.recovered || this.#restart(group, { epoch: ack.epoch, seq: ack.seq }))
        .catch((refused) => refused.code === 'disconnected' || this.#restart(group, head));
    }
  }

  #restart(group, head) {
    const lost = this.#logs.has(group) && this.#logs.get(group).epoch !== head.epoch;
    this.#logs.set(group, { epoch: head.epoch, seq: head.seq });
    this.onEvent({ type: 'log.rebuild', group, epoch: head.epoch, lost });
  }

  // Any frame proves that the connection lives; silence makes us ask.
  #heard() {
    this.#timers.clear('pong');
    this.#timers.set('ping', this.pingIntervalMs, () => this.#ping());
  }

  #ping() {
    if (this.#timers.has('pong')) return;
    this.#transmit({ type: 'ping' });
    this.#timers.set('pong', PONG_WAIT_MS, () => this.#closed(0, true));
  }

  #closed(code, opened) {
    const closing = this.#closing;
    this.#drop();
    if (code === 1009) this.outbox.tooLarge();
    const final = closing ? closing.reconnect === false : code >= 4500 && code <= 4999;
    if (final) {
      this.#state('stopped', closing?.reason || 'The server ended this session.');
      return;
    }
    const spread = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempt);
    this.#attempt += 1;
    const jittered = spread / 2 + (Math.random() * spread) / 2;
    const asked = closing?.retry_in_ms ?? 0;
    this.#notBefore = Date.now() + asked;
    this.#wait(Math.max(asked, jittered));
    if (!opened && this.#attempt > 1) this.#explain();
  }

  #wait(delay) {
    this.#state('waiting');
    this.#timers.set('retry', delay, () => this.#connect());
  }

  // A browser hides why an upgrade was refused. `explain` asks over plain HTTP: {reason, final, retryInMs} or null.
  async #explain() {
    const why = await this.explain?.().catch(() => null);
    if (!why || this.phase !== 'waiting') return;
    if (why.final) {
      this.stop(why.reason);
      return;
    }
    this.#state('waiting', why.reason);
    if (why.retryInMs) {
      this.#notBefore = Date.now() + why.retryInMs;
      this.#timers.set('retry', why.retryInMs, () => this.#connect());
    }
  }

  // Lets go of the socket. A dead one may take minutes to close, so its end is not waited for.
  #drop() {
    this.#timers.clearAll();
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    if (this.phase === 'online') this.phase = 'waiting';
    this.outbox.disconnected();
    this.#replies.lost();
  }

  #state(phase, reason = '') {
    this.phase = phase;
    this.onState({ phase, reason, attempt: this.#attempt });
  }
}
