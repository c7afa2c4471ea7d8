// The page: puts the client, the conversations and the views together.

import { Client } from './client.js';
import { Composer } from './composer.js';
import { Conversation } from './conversation.js';
import { copy } from './copy.js';
import { announce, find } from './dom.js';
import { Log } from './log.js';
import { Panel } from './panel.js';
import { crowd, person, title } from './people.js';
import { addressOf, another, endpoint, explain, here } from './place.js';
import { Status } from './status.js';
import { toggleTheme } from './toggle.js';

const TYPING_SHOWN_MS = 4_000;
const LOAD_AGAIN_MS = 1_500;
const MEMBERS_AGAIN_MS = 300;

const { session, token } = here();
const conversations = new Map();
let current = `chat_${session}`;
let members = [];
let scheduled = false;
let refreshing = null;

const client = new Client({
  endpoint: endpoint(session),
  session,
  token,
  onEvent: receive,
  onState: changed,
  explain: () => explain(session, token),
});

const status = new Status(() => client.start());
const composer = new Composer({ onSend: send, onStop: stop, onTyping: () => client.notify('group.typing', { group: current }) });
const panel = new Panel({ select, leave, join });
const log = new Log({ retryAnswer, retrySend: (id) => client.outbox.retry(id), editSend }, older);

function conversation(group) {
  if (!conversations.has(group)) conversations.set(group, new Conversation(group));
  return conversations.get(group);
}

function receive(event) {
  switch (event.type) {
    case 'session.ready':
      ready(event);
      break;
    case 'log.rebuild':
      conversation(event.group).rebuild(event.lost);
      // What the lost log had taken is among what was said before: it is not to come.
      if (event.lost) client.outbox.settle((group) => group === event.group);
      if (event.group === current) load();
      break;
    case 'outbox':
      client.outbox.settle((group, message) => conversations.get(group)?.messages.has(message));
      break;
    case 'group.joined':
    case 'group.left':
      membership(event);
      break;
    case 'typing':
      typing(event);
      break;
    case 'event':
      if (conversations.has(event.group))
        conversations.get(event.group).note('Event from the application', JSON.stringify(event.event, null, 2));
      break;
    default:
      if (event.group && conversations.has(event.group)) logged(event);
  }
  schedule();
}

function ready({ groups, answers }) {
  for (const group of [...conversations.keys()]) if (!groups.includes(group)) conversations.delete(group);
  for (const group of groups) conversation(group).resume(answers.filter((answer) => answer.group === group));
  if (!conversations.has(current)) select(client.home);
}

function changed(state) {
  status.show(state);
  schedule();
  if (!client.online) return;
  // A load that the last connection took with it is begun again.
  if (!conversation(current).loaded) load();
  refreshMembers();
}

function logged(event) {
  const into = conversations.get(event.group);
  const fresh = into.apply(event);
  if (event.type === 'message') client.outbox.observed(event.group, event.message, client.user);
  if (!fresh) return;
  const said = event.type === 'message' && event.message.author !== client.user;
  if (event.group !== current) {
    if (said || event.type === 'answer.end') into.unread += 1;
  } else if (event.type === 'answer.start') announce('Sophie is answering');
  else if (event.type === 'answer.end')
    announce(event.finish_reason === 'cancelled' ? 'Answer stopped' : `Sophie: ${event.text.slice(0, 600)}`);
  else if (event.type === 'answer.error') announce(`The answer failed. ${event.reason}`);
  else if (said) announce(`${person(event.message.author)}: ${event.message.text.slice(0, 300)}`);
}

// One change bears `session` and `user`; several of one moment bear `members`, or their `count` if they are too many to name.
function membership({ type, group, session: who, user, members: several, count }) {
  const joined = type === 'group.joined';
  const changed = several ?? (count === undefined ? [{ session: who, user }] : []);
  const others = changed.filter((one) => one.session !== session).map((one) => one.user);
  if (others.length < changed.length) itself(group, joined);
  const people = others.length > 0 ? crowd(others) : count > 0 ? `${count} people` : '';
  if (people) conversations.get(group)?.note(`${people} ${joined ? 'joined' : 'left'}`);
  if (group === current) refreshMembersSoon();
}

// This very session came or went, by another of its windows perhaps.
function itself(group, joined) {
  if (joined) {
    conversation(group);
  } else if (group !== client.home) {
    conversations.delete(group);
    if (current === group) select(client.home);
  }
}

function typing({ group, user }) {
  if (user === client.user || !conversations.has(group)) return;
  const { typing: people } = conversations.get(group);
  people.set(user, Date.now() + TYPING_SHOWN_MS);
  setTimeout(schedule, TYPING_SHOWN_MS + 50);
}

// The newest part of the current log. Tried again until it works: without it there is nothing to read.
async function load() {
  const target = conversation(current);
  const { life } = target;
  if (target.loading === life) return;
  target.loading = life;
  try {
    const reply = await client.history(target.group);
    if (target.life === life) take(target, reply);
  } catch (refused) {
    if (refused.code !== 'disconnected')
      setTimeout(() => client.online && current === target.group && !target.loaded && load(), LOAD_AGAIN_MS);
  }
  if (target.loading === life) target.loading = null;
  schedule();
}

async function older() {
  const target = conversations.get(current);
  if (!target?.loaded || !target.more || target.loading === target.life || !client.online) return;
  const { life } = target;
  target.loading = life;
  find('#older').hidden = false;
  try {
    const reply = await client.history(target.group, target.oldest);
    if (target.life === life) take(target, reply);
  } catch {
    // Scrolling to the top again asks again.
  }
  if (target.loading === life) target.loading = null;
  find('#older').hidden = true;
  schedule();
}

function take(target, reply) {
  target.history(reply);
  for (const row of target.messages.values()) client.outbox.observed(target.group, row, client.user);
}

// However many come and go, the list is asked for once in a while: each time costs the server something.
function refreshMembersSoon() {
  refreshing ??= setTimeout(() => {
    refreshing = null;
    refreshMembers();
  }, MEMBERS_AGAIN_MS);
}

async function refreshMembers() {
  const group = current;
  const reply = await client.request('group.members', { group }).catch(() => null);
  if (group !== current || !reply) return;
  ({ members } = reply);
  schedule();
}

function send(text, assistant) {
  client.outbox.add({ group: current, text, assistant });
  log.toBottom();
}

function stop() {
  const answer = conversation(current).running().at(-1);
  if (answer) client.request('answer.cancel', { answer: answer.answer }).catch(({ message }) => announce(message));
}

async function retryAnswer(row) {
  row.problem = '';
  try {
    await client.request('answer.retry', { message: row.message });
    log.toBottom();
  } catch (refused) {
    row.problem = refused.message;
  }
  schedule();
}

function editSend(id) {
  const item = client.outbox.items.find((candidate) => candidate.id === id);
  if (!item) return;
  client.outbox.discard(id);
  composer.edit(item.text);
}

function select(group) {
  current = group;
  members = [];
  const target = conversation(group);
  target.unread = 0;
  if (!target.loaded) load();
  refreshMembers();
  composer.focus();
  schedule();
}

async function join(group) {
  if (conversations.has(group)) return;
  await client.join(group);
  conversation(group);
}

async function leave(group) {
  try {
    await client.leave(group);
    conversations.delete(group);
    if (current === group) select(client.home);
  } catch (refused) {
    announce(refused.message);
  }
  schedule();
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
  const shown = conversation(current);
  const home = current === client.home;
  const pending = client.outbox.items
    .filter(({ group, message }) => group === current && !shown.messages.has(message))
    .map((item) => ({ kind: 'pending', key: `pending:${item.id}`, id: item.id, text: item.text, item }));
  const rows = [...shown.rows(), ...pending];
  log.show(rows, { user: client.user, conversation: shown });
  composer.show({ running: client.online && shown.running().length > 0, home });
  panel.show({ groups: [...conversations.values()], current, home: client.home, members, user: client.user });
  find('#empty').hidden = rows.length > 0 || !shown.loaded;
  find('#title').textContent = title(current, client.home);
  document.title = home ? 'Sophie' : `${current} · Sophie`;
  find('#typing').textContent = client.online ? typists(shown) : '';
  const unread = [...conversations.values()].reduce((sum, { unread: count }) => sum + count, 0);
  find('#panel-toggle').dataset.unread = String(unread > 0);
}

function typists({ typing: people }) {
  for (const [user, until] of people) if (until < Date.now()) people.delete(user);
  const names = [...people.keys()].map(person);
  if (!names.length) return '';
  if (names.length > 2) return 'Several people are typing…';
  return `${names.join(' and ')} ${names.length > 1 ? 'are' : 'is'} typing…`;
}

find('#new-chat').addEventListener('click', another);
find('#theme').addEventListener('click', toggleTheme);
find('#share').addEventListener('click', async () => {
  const done = await copy(addressOf(session));
  const label = find('#share-label');
  label.textContent = done ? 'Copied' : 'Copy failed';
  announce(done ? 'Link copied. Who opens it joins this chat.' : 'Copying failed');
  setTimeout(() => {
    label.textContent = 'Copy link';
  }, 2_000);
});
for (const button of document.querySelectorAll('[data-example]')) {
  button.addEventListener('click', () => {
    send(button.dataset.example, true);
    composer.focus();
  });
}
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || event.isComposing) return;
  if (panel.covering) panel.open(false);
  else stop();
});
document.addEventListener('visibilitychange', () => {
  if (document.hidden) return;
  client.wake();
  schedule();
});
addEventListener('online', () => client.wake());
addEventListener('hashchange', () => location.reload());
find('#reconnect').addEventListener('click', () => composer.focus());

client.start();
render();
if (matchMedia('(hover: hover)').matches) composer.focus();
