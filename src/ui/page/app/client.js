// The client library, in the words of this page. It knows no DOM.
//
// Gives what the library tells to `onEvent`, in order, with two events of its own:
//   {type: 'log.rebuild', group, epoch, lost}   what is known of this group's log no longer connects to what follows;
//                                               `lost` tells that a new log has begun. Ask `history` for it.
//   {type: 'outbox'}                            what waits to be sent has changed.

import { Sophie, SophieError } from '../../client.mjs';
import { Outbox } from './outbox.js';

const PHASES = { idle: 'stopped', connecting: 'connecting', open: 'online', waiting: 'waiting', closed: 'stopped' };
// Told of what the library has put together or made sure of; all other frames are passed on as they come.
const PASSED_ON = new Set(['answer.start', 'answer.delta', 'answer.reasoning', 'answer.end', 'answer.error', 'group.joined', 'group.left', 'typing', 'assistant', 'person', 'event']);

export class Client {
  #chat;

  // `endpoint` is the WebSocket address without query; `explain` is called before it is told that the server lets nobody in.
  constructor({ endpoint, session, token = '', getToken, maxFrameBytes, onEvent, onState, explain = null }) {
    const chat = new Sophie({ url: new URL('../..', endpoint).href, session, token, getToken, maxFrameBytes });
    this.#chat = chat;
    this.home = chat.home;
    this.outbox = new Outbox({ chat, onChange: () => onEvent({ type: 'outbox' }) });
    chat.on('state', async (state) => {
      if (state.phase === 'closed' && state.code >= 400 && state.code < 600) await explain?.().catch(() => null);
      // Why the server let nobody in is worth telling; that the line was lost is seen.
      const told = state.phase === 'closed' || (state.code >= 400 && state.code < 600);
      onState({ phase: PHASES[state.phase], code: state.code ?? 0, reason: told ? state.reason : '', attempt: state.attempt ?? 0 });
      if (state.phase === 'open') this.outbox.connected();
    });
    chat.on('ready', onEvent);
    chat.on('message', onEvent);
    chat.on('stale', ({ group, reason }) => onEvent({ type: 'log.rebuild', group, epoch: chat.position(group)?.epoch, lost: reason === 'lost' }));
    chat.on('frame', (event) => PASSED_ON.has(event.type) && onEvent(event));
    // What the server did not tell: after it had lost the session, its groups are joined anew, or cannot be.
    const itself = (type, { group }) => group !== this.home && onEvent({ type, group, session, user: chat.user });
    chat.on('joined', (event) => itself('group.joined', event));
    chat.on('left', (event) => itself('group.left', event));
  }

  get online() {
    return this.#chat.state.phase === 'open';
  }

  get user() {
    return this.#chat.user;
  }

  start() {
    this.#chat.connect();
  }

  stop() {
    this.#chat.close();
  }

  // A command that is answered; rejects with what the server said, or with `disconnected`.
  request(type, fields = {}) {
    if (!this.online) return Promise.reject(new SophieError('disconnected', 'There is no connection right now.'));
    return this.#chat.command(type, fields);
  }

  // A command whose loss does no harm.
  notify(type, { group }) {
    if (type === 'group.typing') this.#chat.typing(group);
  }

  wake() {
    this.#chat.wake();
  }

  join(group) {
    return this.#chat.join(group);
  }

  leave(group) {
    return this.#chat.leave(group);
  }

  history(group, before) {
    return this.#chat.history(group, before === undefined ? {} : { before });
  }
}
