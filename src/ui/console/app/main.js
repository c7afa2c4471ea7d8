// The console: signs in, shows the part that the address names, keeps it fresh.

import { audit } from './acts.js';
import { Api } from './api.js';
import { backends, redis } from './backends.js';
import { announce, find, h } from './dom.js';
import { group } from './group.js';
import * as lists from './lists.js';
import { Live } from './live.js';
import { overview } from './overview.js';
import { feedback } from './ratings.js';
import { session } from './session.js';
import { signIn } from './sign_in.js';
import { waiting } from './waiting.js';
import { number, switchLanguage, t, word } from './words.js';

const KEY = 'sophie.console.token';
// Parts of the console in the order of the menu; the others are reached from these.
const { groups, sessions, nodes, answers, cache, limits } = lists;
const MENU = { overview, waiting, feedback, groups, sessions, nodes, answers, cache, limits, backends, redis, audit };
const PARTS = { ...MENU, group, session };
// A part is read again after so long, if somebody looks at it.
const FRESH_MS = 4000;

let api = null;
let live = null;
let acts = false;
let shown = null;
// When the part was read, and which of the news it shows.
let [read, known] = [0, undefined];

const main = find('#main');
const stored = {
  get: () => sessionStorage.getItem(KEY),
  set: (token) => (token ? sessionStorage.setItem(KEY, token) : sessionStorage.removeItem(KEY)),
};

function trouble(error) {
  const text = error.status === 0 ? t('unreachable') : word(`error_${error.code}`, error.message);
  let place = find('#trouble');
  if (!place) main.prepend((place = h('p', { id: 'trouble', class: 'trouble', role: 'alert' })));
  if (place.textContent !== text) place.textContent = text;
}

function say(text) {
  announce(text);
  const place = h('p', { class: 'note', id: 'done' }, text);
  find('#done')?.remove();
  main.prepend(place);
  setTimeout(() => place.remove(), 6000);
}

// What is drawn anew takes the focus along: to the link, or the button, of the same meaning.
function keepFocus() {
  const held = document.activeElement;
  if (!main.contains(held)) return () => {};
  const meaning = (element) => element.getAttribute('href') ?? element.dataset.key;
  return () => {
    if (held.isConnected || !meaning(held)) return;
    const same = [...main.querySelectorAll('a[href], [data-key]')].find((element) => meaning(element) === meaning(held));
    same?.focus({ preventScroll: true });
  };
}

async function refresh() {
  const part = shown;
  read = Date.now();
  known = part?.watch?.(live);
  try {
    const held = keepFocus();
    await part?.refresh();
    held();
    if (part === shown) find('#trouble')?.remove();
  } catch (error) {
    if (part === shown && api) trouble(error);
  }
}

function words() {
  for (const element of document.querySelectorAll('[data-words]')) element.textContent = t(element.dataset.words);
  find('#nav').setAttribute('aria-label', t('parts'));
  find('#language').textContent = t('language');
  find('#language').lang = document.documentElement.lang === 'en' ? 'pt-BR' : 'en';
}

function title() {
  const name = shown ? `${shown.title} · Sophie` : `Sophie ${t('console')}`;
  const count = live?.news.waiting ?? 0;
  document.title = count ? `(${number(count)}) ${name}` : name;
}

function menu(current) {
  const item = (name) => h('a', { href: `#${name}`, 'aria-current': name === current ? 'page' : null }, t(name));
  find('#nav').replaceChildren(...Object.keys(MENU).map(item));
  count();
  find('#nav [aria-current]').scrollIntoView({ block: 'nearest', inline: 'center' });
}

// How many wait for a person, in the menu and in the title of the tab.
function count() {
  const { waiting } = live.news;
  const item = find('#nav a[href="#waiting"]');
  const text = waiting ? number(waiting) : '';
  if ((item.querySelector('.count')?.textContent ?? '') !== text) {
    item.querySelector('.count')?.remove();
    if (text) item.append(' ', h('span', { class: 'count' }, text));
  }
  title();
}

// Whoever came after all that were known is told to who cannot see the page.
function whoCame() {
  const { newest } = live.news;
  const { latest } = live;
  const isLater = newest && (!latest || newest.since > latest.since || (newest.since === latest.since && newest.group !== latest.group));
  if (isLater && live.looks > 1) announce(t('waits_now', newest));
  if (isLater) live.latest = newest;
}

function show(moved = true) {
  const [name, argument] = location.hash.slice(1).split('/').map(decodeURIComponent);
  const part = Object.hasOwn(PARTS, name) ? name : 'overview';
  shown = PARTS[part]({ api, live, acts, say, argument });
  menu(shown.part ?? part);
  main.replaceChildren(shown.element);
  if (moved) main.focus();
  refresh();
}

function signOut(why) {
  live?.close();
  stored.set(null);
  [api, live, shown, acts] = [null, null, null, false];
  document.body.dataset.signed = 'out';
  find('#nav').hidden = find('#sign-out').hidden = find('#looks').hidden = true;
  find('#live').dataset.state = 'off';
  find('#live').textContent = '';
  title();
  main.replaceChildren(signIn(why, signedIn));
}

async function signedIn(token) {
  const asked = new Api(token, () => signOut(t('token_wrong')));
  let who;
  try {
    who = await asked.get('whoami');
  } catch (error) {
    if (error.status !== 401) signOut(error.status === 0 ? t('unreachable') : error.message);
    return;
  }
  stored.set(token);
  api = asked;
  acts = who.may_act;
  live = new Live();
  document.body.dataset.signed = 'in';
  find('#nav').hidden = find('#sign-out').hidden = false;
  find('#looks').hidden = acts;
  find('#live').dataset.state = 'off';
  live.follow(api, heard);
  show(false);
}

function heard(told) {
  if (!live) return;
  if (told) {
    const line = find('#live');
    // Said again only when it changes: a screen reader would read it out each time.
    const text = told.state === 'on' ? t('live', told) : t(told.status === 503 ? 'crowded' : 'lost');
    if (line.textContent !== text) line.textContent = text;
    line.dataset.state = told.state;
    whoCame();
    count();
  }
  if (document.hidden || document.querySelector('dialog[open]')) return;
  const now = shown?.watch?.(live);
  if (now !== known || Date.now() - read > FRESH_MS) refresh();
}

find('#sign-out').onclick = () => signOut();
find('#language').onclick = () => {
  switchLanguage();
  words();
  if (api) show(false);
  else signOut();
};
addEventListener('hashchange', () => api && show());
// A page that is left may be kept by the browser, and its stream with it: a browser has six connections to a host.
addEventListener('pagehide', () => live?.close());
addEventListener('pageshow', (event) => event.persisted && location.reload());
addEventListener('unhandledrejection', (event) => {
  if (event.reason?.status === undefined) return;
  event.preventDefault();
  trouble(event.reason);
});

words();
if (stored.get()) signedIn(stored.get());
else signOut();
