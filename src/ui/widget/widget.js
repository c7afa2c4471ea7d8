// The chat of this server in a corner of somebody else's page: docs/widget.md. A classic script, since pages load it by `<script src>`; it is put
// together of three files (`src/ui/library.rs`), inside of one function.
//
// It makes a button and a dialog in a shadow root, and the chat page in a frame when it is opened for the first time. Styles are set by script
// (CSSOM): the page's Content-Security-Policy needs this server in `script-src` and `frame-src`, and nothing else.
// What is said to the frame goes to this server's origin alone, and what the frame says is taken from that origin and that frame alone.
const script = document.currentScript ?? document.querySelector('script[src*="/widget.js"]');
const site = (window.SophieChat ??= {});
const MARK = Symbol.for('sophie.widget');
// Included twice: the first one is there.
if (site[MARK] || !script?.src) return;
site[MARK] = true;

// How long after its load event the frame may take to say that the chat runs, and how long until there is such an event, in milliseconds.
const REFUSED_AFTER = 6_000;
const UNREACHABLE_AFTER = 25_000;
const OPEN = 'sophie.widget';
const said = script.dataset;
// Members of a group learn the name of a session, so a visitor's own chat has another one.
const SESSIONS = ['sophie.widget.session', 'sophie.widget.session.group'];
const SESSION = SESSIONS[said.group ? 1 : 0];
const server = new URL('.', script.src);
const known = (tags) => tags.map((tag) => (tag ?? '').toLowerCase().split('-')[0]).find((tag) => Object.hasOwn(WORDS, tag));
// What the page says of its language, which the chat is told.
const language = known([said.language, document.documentElement.lang]);
const words = WORDS[language ?? known(navigator.languages) ?? 'en'];
const label = said.label || words.chat;
// Where it covers the whole screen, nothing else can be used.
const whole = matchMedia('(max-width: 30rem), (max-height: 26rem)');

// {launcher, badge, panel, waiting, frame, …} once it stands in the page; `frame` is null until the first opening.
let parts = null;
let [isOpen, runs, gone, unread] = [false, false, false, 0];
let before = null;
let timer = 0;

function remember(name, value) {
  try {
    if (value === undefined) sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, value);
  } catch {
    // Storage may be off: then it begins anew with each page.
  }
}

function remembered(name) {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

function icon(name) {
  const [svg, path] = ['svg', 'path'].map((tag) => document.createElementNS('http://www.w3.org/2000/svg', tag));
  for (const [attribute, value] of Object.entries({ viewBox: '0 0 24 24', 'aria-hidden': 'true', class: name })) svg.setAttribute(attribute, value);
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

// White or nearly black, whichever can be read on that colour.
function on(color) {
  const pairs = color.length === 4 ? [...color.slice(1)].map((one) => one + one) : color.slice(1).match(/../g);
  const [r, g, b] = pairs.map((pair) => (Number.parseInt(pair, 16) / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.2 ? '#10211c' : '#fff';
}

function build() {
  const badge = element('span', { class: 'badge', 'aria-hidden': 'true', hidden: '' });
  const launcher = element('button', { class: 'launcher', type: 'button', title: label, 'aria-haspopup': 'dialog', 'aria-controls': 'panel' }, icon('chat'), icon('close'), badge);
  const sentence = element('p', { role: 'status' }, words.loading);
  const leave = element('button', { type: 'button' }, words.close);
  const waiting = element('div', { class: 'waiting' }, sentence, leave);
  const panel = element('dialog', { id: 'panel', class: 'panel', 'aria-label': label }, waiting);
  const status = element('div', { class: 'said', role: 'status' });
  const position = /^(top|bottom)-(left|right)$/.test(said.position) ? said.position : 'bottom-right';
  const widget = element('div', { class: 'widget', 'data-position': position, 'data-theme': said.theme ?? '' }, launcher, panel, status);
  if (/^#([0-9a-f]{3}|[0-9a-f]{6})$/i.test(said.color)) {
    widget.style.setProperty('--accent', said.color);
    widget.style.setProperty('--on-accent', on(said.color));
  }
  const host = element('sophie-chat');
  const root = host.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  root.append(widget);
  launcher.addEventListener('click', toggle);
  leave.addEventListener('click', close);
  // The dialog's own way to close it by Escape, and the key where the dialog is no modal one. The frame tells of its own.
  panel.addEventListener('cancel', (event) => {
    event.preventDefault();
    close();
  });
  root.addEventListener('keydown', ({ key, isComposing }) => key === 'Escape' && !isComposing && close());
  return { host, root, widget, launcher, badge, panel, waiting, sentence, leave, status, frame: null };
}

function draw() {
  const { widget, launcher, badge } = parts;
  const news = unread ? words.unread[unread === 1 ? 0 : 1].replace('{n}', unread) : '';
  widget.dataset.open = String(isOpen);
  launcher.setAttribute('aria-expanded', String(isOpen));
  launcher.setAttribute('aria-label', news ? `${label}, ${news}` : label);
  badge.hidden = !unread;
  badge.textContent = unread > 99 ? '99+' : String(unread);
  if (parts.status.textContent !== news) parts.status.textContent = news;
}

function load() {
  if (parts.frame) return;
  const address = { embed: location.origin };
  for (const name of ['group', 'session', 'name', 'color', 'theme']) if (said[name]) address[name] = said[name];
  if (language) address.language = language;
  const src = new URL(`#${new URLSearchParams(address)}`, server).href;
  parts.frame = element('iframe', { title: label, src, allow: 'clipboard-write', referrerpolicy: 'no-referrer' });
  parts.frame.addEventListener('load', () => wait(REFUSED_AFTER));
  wait(UNREACHABLE_AFTER);
  parts.panel.prepend(parts.frame);
}

function wait(ms) {
  clearTimeout(timer);
  if (runs || gone) return;
  timer = setTimeout(() => failed(`the server did not answer, or its setting server.frame_ancestors does not name ${location.origin}`), ms);
}

// A page is not told why a frame stays empty: of the two reasons that there are, it can only name both.
function failed(why) {
  if (runs || gone) return;
  parts.sentence.textContent = words.failed;
  console.error(`Sophie: the chat of ${server.origin} cannot be shown in a frame of this page: ${why}.`);
}

function blocked({ effectiveDirective, blockedURI }) {
  if (!/^(frame|child|default)-src/.test(effectiveDirective) || !blockedURI.startsWith(server.origin) || !parts?.frame) return;
  clearTimeout(timer);
  failed(`the Content-Security-Policy of this page does not name ${server.origin} in ${effectiveDirective}`);
}

const send = (message) => runs && parts.frame.contentWindow?.postMessage(message, server.origin);
const source = () => window.SophieChat?.token ?? site.token ?? said.token;

async function token(id) {
  try {
    const from = source();
    send({ sophie: 'token', id, token: String((typeof from === 'function' ? await from() : from) ?? '') });
  } catch (fault) {
    console.error('Sophie: window.SophieChat.token failed.', fault);
    send({ sophie: 'token', id, failed: true });
  }
}

function heard({ source: from, origin, data }) {
  if (!parts?.frame || from !== parts.frame.contentWindow || origin !== server.origin || typeof data?.sophie !== 'string') return;
  switch (data.sophie) {
    case 'ready':
      runs = true;
      clearTimeout(timer);
      parts.waiting.hidden = true;
      send({ sophie: 'hello', shown: isOpen, token: Boolean(source()), session: remembered(SESSION) });
      if (isOpen && inside()) goIn();
      break;
    case 'token':
      token(data.id);
      break;
    case 'unread':
      unread = isOpen ? 0 : Math.max(0, Math.trunc(Number(data.n)) || 0);
      draw();
      break;
    case 'keep':
      remember(SESSION, String(data.session));
      break;
    case 'close':
      close();
      break;
    default:
  }
}

const inside = () => parts.panel.contains(parts.root.activeElement);

function goIn() {
  (runs ? parts.frame : parts.leave).focus();
  send({ sophie: 'shown', focus: true });
}

function present() {
  // `show()` would take the focus, which whoever loads a page did not ask for.
  if (whole.matches) parts.panel.showModal();
  else parts.panel.setAttribute('open', '');
}

function show(focus) {
  isOpen = true;
  unread = 0;
  remember(OPEN, 'open');
  before = focus ? (parts.root.activeElement ?? document.activeElement) : null;
  load();
  present();
  draw();
  if (focus || whole.matches) goIn();
  else send({ sophie: 'shown', focus: false });
}

function open() {
  if (parts && !isOpen && !gone) show(true);
}

function close() {
  if (!isOpen || gone) return;
  const was = inside();
  isOpen = false;
  remember(OPEN, 'closed');
  parts.panel.close();
  draw();
  send({ sophie: 'hidden' });
  if (was) (before?.isConnected && before !== document.body ? before : parts.launcher).focus();
}

function toggle() {
  if (isOpen) close();
  else open();
}

// Takes everything away, and what it has kept in this tab with it.
function destroy() {
  if (gone) return;
  gone = true;
  clearTimeout(timer);
  removeEventListener('message', heard);
  document.removeEventListener('securitypolicyviolation', blocked);
  parts?.host.remove();
  for (const name of [OPEN, ...SESSIONS]) remember(name);
  site[MARK] = false;
}

function begin() {
  if (gone) return;
  parts = build();
  draw();
  document.body.append(parts.host);
  whole.addEventListener('change', () => {
    if (!isOpen || gone) return;
    const was = inside();
    parts.panel.close();
    present();
    if (was) goIn();
  });
  const kept = remembered(OPEN);
  const asked = said.open !== undefined && said.open !== 'false' && !whole.matches;
  if (kept === 'open' || (kept === null && asked)) show(false);
  // It was open on a page before: what comes meanwhile is counted.
  else if (kept === 'closed') load();
}

addEventListener('message', heard);
document.addEventListener('securitypolicyviolation', blocked);
Object.assign(site, { open, close, toggle, destroy });
if (document.body) begin();
else document.addEventListener('DOMContentLoaded', begin, { once: true });
