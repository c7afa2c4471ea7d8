// The page: puts the chat and the views together.

import { apart } from './apart.js';
import { wear } from './brand.js';
import { Chat } from './chat.js';
import { ChatList } from './chatlist.js';
import { Chats } from './chats.js';
import { Composer } from './composer.js';
import { config } from './config.js';
import { announce, find } from './dom.js';
import { embed } from './embed.js';
import { Empty } from './empty.js';
import { listing, noteGroups } from './listing.js';
import { Log } from './log.js';
import { named, nameless } from './naming.js';
import { tell } from './news.js';
import { Panel } from './panel.js';
import { listed, person, title } from './people.js';
import { another, here, stand } from './place.js';
import { share } from './share.js';
import { SignIn } from './signin.js';
import { Standing } from './standing.js';
import { Status } from './status.js';
import { fillIn, t } from './texts.js';
import { toggleTheme } from './toggle.js';
import { Tools } from './tools.js';
import { Unread } from './unread.js';

embed?.dress();
fillIn({ assistant: config.name });
wear({ ...config, ...(embed?.color && { color: embed.color }) });

const place = embed ? await embed.place(config.sign_in) : here();
const chats = new Chats();
const status = new Status(() => begin());
const composer = new Composer({ most: config.max_text_chars, onSend: send, onStop: stop, onTyping: () => chat?.typed() });
const panel = new Panel({ select, leave, join, rename });
const log = new Log({ rate: (fields) => chat.client.request('feedback', fields), retryAnswer, retrySend: (id) => chat.outbox.retry(id), editSend }, () => chat?.older());
const chatList = new ChatList(chats);
const empty = new Empty(config, (text) => {
  send(text, true);
  composer.focus();
});
const tools = new Tools(() => chat);
const standing = new Standing(() => chat);
// Where a site shows the page, tokens are its business.
const signIn = new SignIn(embed && config.sign_in === 'token' ? 'application' : config.sign_in, (token) => {
  place.token = token;
  open();
});
const unread = embed && new Unread(embed);
let chat = null;
let scheduled = false;

// Everything that may have to be asked before there can be a connection.
async function begin() {
  if (!place.session) {
    await embed?.seen();
    place.session = (config.sign_in === 'none' ? await named(place.group) : null) ?? nameless();
  }
  // Without a group there is nothing to see in the session for groups.
  if (!place.group && apart.inGroups(place.session)) {
    apart.home();
    return;
  }
  embed?.keep(place.session);
  stand(place.session, place.group);
  if (chat && !signIn.shown) chat.client.start();
  else if (signIn.needed(place.token)) status.show({ phase: 'signed-out' });
  else open();
}

function open() {
  chat?.client.stop();
  const { session, group, token } = place;
  apart.opens(session);
  chat = new Chat({ session, token, getToken: embed?.getToken, group, on: { change: schedule, news, state: changed, moved, ready, read, failed, removed, tooLong } });
  chat.client.start();
  render();
  if (matchMedia('(hover: hover)').matches) composer.focus();
}

function changed(state) {
  const other = state.phase === 'stopped' && chat.refusal?.code === 'not_allowed' ? embed?.renew() : '';
  if (other) {
    place.session = other;
    embed.keep(other);
    open();
    return;
  }
  const refused = state.phase === 'stopped' && signIn.refused(chat.refusal, place.token);
  status.show(refused ? { phase: 'signed-out' } : state);
}

function ready() {
  signIn.done();
  chats.of(chat.user);
  chatList.show(place.session);
}

function moved(group) {
  if (group === chat.home && apart.inGroups(place.session)) {
    noteGroups(chat);
    apart.home();
    return;
  }
  place.group = group === chat.home ? '' : group;
  stand(place.session, place.group);
  composer.focus();
}

function failed(group, why) {
  const text = t('groups.not-joined', { name: group, why });
  if (!apart.inGroups(place.session)) chat.turnBack();
  notice(text);
  // What was typed meanwhile stands where it was typed.
  for (const { text: said, images } of chat.outbox.unsaid(group).reverse()) composer.edit(said, text, images);
}

function removed(group) {
  const text = t('groups.gone', { name: group });
  const goes = chat.current === group;
  if (goes) chat.select(chat.home);
  if (goes && apart.inGroups(place.session)) apart.leaveNote(text);
  else notice(text);
}

function notice(text) {
  if (!text) return;
  chat.shown.note(text);
  announce(text);
  schedule();
}

async function join(group) {
  if (apart.inOwn(place.session)) {
    apart.enter(group);
    return;
  }
  await chat.join(group);
  chat.select(group);
}

function select(group) {
  if (group === chat.home || chat.conversations.has(group)) chat.select(group);
  else apart.enter(group);
}

function news(event, shown) {
  if (event.type === 'message' && event.group === chat.home && event.message.author === chat.user) {
    chats.said(place.session, event.message.text);
    chatList.show(place.session);
  }
  if (shown) tell(event, chat.user);
  unread?.look(chat);
}

// A part of a log was read. What was said first in this chat is its title.
function read(conversation) {
  unread?.look(chat);
  if (conversation.group !== chat.home) return;
  if (apart.inOwn(place.session)) notice(apart.takeNote());
  if (conversation.more) return;
  const first = conversation.rows().find(({ kind, role }) => kind === 'message' && role === 'user');
  if (!first) return;
  chats.began(place.session, first.text);
  chatList.show(place.session);
}

function tooLong({ id, text, images }) {
  chat.outbox.discard(id);
  composer.edit(text, t('composer.long.server'), images);
}

function send(text, assistant, images) {
  chat.send(text, assistant, images);
  log.toBottom();
}

function stop() {
  chat.stop().catch(({ message }) => announce(message));
}

async function retryAnswer(row) {
  await chat.retryAnswer(row);
  log.toBottom();
}

function editSend(id) {
  const item = chat.outbox.items.find((candidate) => candidate.id === id);
  if (!item) return;
  chat.outbox.discard(id);
  composer.edit(item.text, '', item.images);
}

async function leave(group) {
  await chat.leave(group).catch(({ message }) => announce(message));
}

// Another name is another guest, who joins the group anew.
async function rename() {
  const { group } = place;
  const session = await named(group, { skip: false });
  if (!session) return;
  await chat.leave(group).catch(() => null);
  stand(session, group);
  embed?.keep(session);
  location.reload();
}

// However many events arrive, the page is drawn once a frame.
function schedule() {
  if (scheduled) return;
  scheduled = true;
  const draw = () => {
    scheduled = false;
    render();
  };
  // A hidden page has no frames.
  if (document.hidden) setTimeout(draw, 250);
  else requestAnimationFrame(draw);
}

function render() {
  if (!chat) return;
  const { shown, home, current, user, members, client } = chat;
  const pending = chat.outbox.items
    .filter(({ group, message }) => group === current && !shown.messages.has(message))
    .map((item) => ({ kind: 'pending', key: `pending:${item.id}`, id: item.id, text: item.text, images: item.images, item }));
  const rows = [...shown.rows(), ...pending];
  log.show(rows, { user, conversation: shown });
  composer.show({ running: client.online && shown.running().length > 0, assistant: current !== home && shown.assistant });
  noteGroups(chat);
  const groups = listing(chat);
  panel.show({ groups, current, home, members: members.list, user, guest: config.sign_in === 'none' && !embed?.name });
  empty.show(rows.length === 0 && shown.loaded, current === home ? '' : current);
  standing.show(shown);
  tools.show({ any: rows.length > 0 });
  share.show(current === home ? '' : current, place.session);
  find('#older').hidden = !chat.fetching;
  find('#title').textContent = title(current, home);
  document.title = current === home ? config.name : `${current} · ${config.name}`;
  find('#typing').textContent = client.online ? typists(shown) : '';
  const unread = groups.reduce((sum, { unread: count }) => sum + count, 0);
  find('#panel-toggle').dataset.unread = String(unread > 0);
}

function typists({ typing: people }) {
  for (const [user, until] of people) if (until < Date.now()) people.delete(user);
  const names = [...people.keys()].map(person);
  if (!names.length) return '';
  if (names.length > 2) return t('typing.many');
  return t(names.length > 1 ? 'typing.some' : 'typing.one', { names: listed(names) });
}

find('#new-chat').addEventListener('click', () => (embed ?? { another }).another());
find('#embed-close').addEventListener('click', () => embed.close());
find('#theme').addEventListener('click', toggleTheme);
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || event.isComposing || document.querySelector('dialog[open]')) return;
  if (panel.covering) panel.open(false);
  else if (embed) embed.close();
  else if (chat) stop();
});
embed?.follow({
  shown(focus) {
    chat?.client.wake();
    unread.look(chat);
    schedule();
    if (focus && matchMedia('(hover: hover)').matches) composer.focus();
  },
});
document.addEventListener('visibilitychange', () => {
  if (document.hidden) return;
  chat?.client.wake();
  schedule();
});
addEventListener('online', () => chat?.client.wake());
addEventListener('hashchange', () => location.reload());
find('#reconnect').addEventListener('click', () => composer.focus());

begin();
