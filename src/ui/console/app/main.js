// The console: signs in, shows the part that the address names, keeps it fresh.

import { Api } from './api.js';
import { announce, find, h } from './dom.js';
import { group } from './group.js';
import * as lists from './lists.js';
import { Live } from './live.js';
import { overview } from './overview.js';
import { session } from './session.js';
import { signIn } from './sign_in.js';
import { switchLanguage, t } from './words.js';

const KEY = 'sophie.console.token';
// Parts of the console in the order of the menu; the others are reached from these.
const MENU = ['overview', 'groups', 'sessions', 'nodes', 'answers', 'cache', 'limits', 'backends', 'redis'];
const PARTS = { overview, group, session, ...Object.fromEntries(MENU.slice(1).map((name) => [name, lists[name]])) };
// A part is read again after so long, if somebody looks at it.
const FRESH_MS = 4000;

let api = null;
let live = null;
let shown = null;
let read = 0;

const main = find('#main');
const stored = {
  get: () => sessionStorage.getItem(KEY),
  set: (token) => (token ? sessionStorage.setItem(KEY, token) : sessionStorage.removeItem(KEY)),
};

function trouble(error) {
  const text = error.status === 0 ? t('unreachable') : error.message;
  let place = find('#trouble');
  if (!place) main.prepend((place = h('p', { id: 'trouble', class: 'trouble', role: 'alert' })));
  place.textContent = text;
}

function say(text) {
  announce(text);
  const place = h('p', { class: 'note', id: 'done' }, text);
  find('#done')?.remove();
  main.prepend(place);
  setTimeout(() => place.remove(), 6000);
}

async function refresh() {
  const part = shown;
  read = Date.now();
  try {
    await part?.refresh();
    find('#trouble')?.remove();
  } catch (error) {
    if (part === shown && api) trouble(error);
  }
}

function words() {
  for (const element of document.querySelectorAll('[data-words]')) element.textContent = t(element.dataset.words);
  find('#language').textContent = t('language');
  find('#language').lang = document.documentElement.lang === 'en' ? 'pt-BR' : 'en';
}

function menu(current) {
  const item = (name) => h('a', { href: `#${name}`, 'aria-current': name === current ? 'page' : null }, t(name));
  find('#nav').replaceChildren(...MENU.map(item));
}

function show(moved = true) {
  const [name, argument] = location.hash.slice(1).split('/').map(decodeURIComponent);
  const part = Object.hasOwn(PARTS, name) ? name : 'overview';
  shown = PARTS[part]({ api, live, acts: live.acts, say, argument });
  document.title = `${shown.title} · Sophie`;
  menu(shown.part ?? part);
  main.replaceChildren(shown.element);
  if (moved) main.focus();
  refresh();
}

function signOut(why) {
  live?.close();
  stored.set(null);
  [api, live, shown] = [null, null, null];
  document.body.dataset.signed = 'out';
  find('#nav').hidden = find('#sign-out').hidden = true;
  find('#live').dataset.state = 'off';
  find('#live').textContent = '';
  document.title = `Sophie ${t('console')}`;
  main.replaceChildren(signIn(why, signedIn));
}

async function signedIn(token) {
  const asked = new Api(token, () => signOut(t('token_wrong')));
  try {
    await asked.get('nodes');
  } catch (error) {
    if (error.status !== 401) signOut(error.status === 0 ? t('unreachable') : error.message);
    return;
  }
  stored.set(token);
  api = asked;
  live = new Live();
  live.acts = true;
  document.body.dataset.signed = 'in';
  find('#nav').hidden = find('#sign-out').hidden = false;
  find('#live').dataset.state = 'off';
  live.follow(api, heard);
  show(false);
}

function heard(told) {
  if (!live) return;
  if (told) {
    const line = find('#live');
    // Said again only when it changes: a screen reader would read it out each time.
    const text = told.state === 'on' ? t('live', told) : t('lost');
    if (line.textContent !== text) line.textContent = text;
    line.dataset.state = told.state;
  }
  const isLive = shown?.title === t('overview') || shown?.title === t('nodes');
  const isUsed = document.hidden || main.querySelector('dialog[open], form :focus');
  if (isLive || (Date.now() - read > FRESH_MS && !isUsed)) refresh();
}

find('#sign-out').onclick = () => signOut();
find('#language').onclick = () => {
  switchLanguage();
  words();
  if (api) show(false);
  else signOut();
};
addEventListener('hashchange', () => api && show());
addEventListener('unhandledrejection', (event) => {
  if (event.reason?.status === undefined) return;
  event.preventDefault();
  trouble(event.reason);
});

words();
if (stored.get()) signedIn(stored.get());
else signOut();
