// One row of the log as an element: made once, brought up to date as what it shows changes.

import { answerFoot } from './answerfoot.js';
import { config } from './config.js';
import { h, icon } from './dom.js';
import { closeOpen, Rendering } from './markdown.js';
import { clock, person } from './people.js';
import { pictures, words } from './pictures.js';
import { reason } from './reason.js';
import { t } from './texts.js';
import { thoughts } from './thoughts.js';

const NAMES = { assistant: config.name, operator: t('role.operator'), system: t('role.system') };

// `acts`: {retryAnswer(row), retrySend(id), editSend(id)}; `context`: {user, conversation, settled}.
export function makeRow(row, acts, context) {
  switch (row.kind) {
    case 'message':
      return messageRow(row, context);
    case 'answer':
      return answerRow(row, acts, context);
    case 'pending':
      return pendingRow(row, acts);
    case 'divider':
      return still(
        h('div', { class: 'divider' }, h('span', {}, t('log.divider'))),
      );
    default:
      return noteRow(row);
  }
}

const STALLED_AFTER_MS = 700;

const still = (element) => ({ element, update() {} });

function noteRow({ text, detail }) {
  const content = detail ? h('details', {}, h('summary', {}, text), h('pre', { tabindex: '0' }, detail)) : h('span', {}, text);
  return still(h('div', { class: 'note' }, content));
}

function messageRow(row, { user }) {
  const own = row.role === 'user' && row.author === user;
  const name = own ? t('person.you') : row.role === 'user' ? person(row.author) : (NAMES[row.role] ?? row.role);
  // An operator's name tells more than the role alone, and the role must not be taken for a name that a user chose.
  const named = row.role === 'operator' && row.author && row.author.toLowerCase() !== 'operator';
  const author = named ? t('role.operator.named', { name: row.author }) : name;
  const body = h('div', { class: row.role === 'user' ? 'body plain' : 'body prose' });
  const shown = pictures(row.images);
  if (row.role === 'user') body.textContent = words(row);
  else new Rendering(body).show(row.text);
  const time = h('time', { datetime: row.createdAt }, clock(row.createdAt));
  const head = h('div', { class: own ? 'head visually-hidden' : 'head' }, h('span', { class: 'author' }, author), time);
  return still(
    h(
      'article',
      {
        class: 'row message',
        'data-role': row.role,
        'data-own': own ? 'true' : 'false',
        'data-message': row.id,
        title: own ? clock(row.createdAt) : null,
      },
      head,
      ...(shown ? [shown] : []),
      ...(body.textContent || !shown ? [body] : []),
    ),
  );
}

function pendingRow(row, acts) {
  const images = pictures(row.images);
  const said = words(row);
  const body = said || !images ? h('div', { class: 'body plain' }, said) : null;
  const foot = h('div', { class: 'foot', 'aria-live': 'polite' });
  const element = h(
    'article',
    { class: 'row message pending', 'data-role': 'user', 'data-own': 'true', 'data-pending': row.id },
    h('div', { class: 'head visually-hidden' }, h('span', { class: 'author' }, t('person.you'))),
    images,
    body,
    foot,
  );
  let shown = '';
  let timer = 0;
  const update = () => {
    clearTimeout(timer);
    const { item } = row;
    element.dataset.state = item.state;
    element.dataset.why = item.why ?? '';
    element.hidden = Boolean(item.echoed);
    const waiting = item.state === 'queued' && item.why === 'rate_limited' ? Math.max(0, Math.ceil((item.notBefore - Date.now()) / 1_000)) : 0;
    if (waiting) timer = setTimeout(update, 1_000);
    const next = [item.state, item.why, item.error?.message, waiting].join('\n');
    if (next === shown) return;
    shown = next;
    foot.replaceChildren(...pendingFoot(row, acts, waiting));
  };
  update();
  return { element, update };
}

const WAITS = { busy: 'pending.busy', store_unavailable: 'pending.store', rate_limited: 'pending.limited' };

function pendingFoot({ item }, acts, waiting) {
  const edit = (label) => quiet('edit', label, 'edit', () => acts.editSend(item.id));
  if (item.state !== 'failed') {
    const why = item.state !== 'queued' ? '' : waiting ? t('pending.limited.s', { n: waiting }) : t(WAITS[item.why] ?? 'pending.queued');
    // What may have been kept already cannot be taken back.
    const held = item.state === 'queued' && (item.why === 'busy' || item.why === 'rate_limited');
    return [h('span', { class: 'state' }, why), ...(held ? [edit(t('pending.back'))] : [])];
  }
  const { code, message } = item.error;
  return [
    h('span', { class: 'problem' }, icon('alert'), h('span', {}, reason(code, message))),
    quiet('retry', t('pending.retry'), 'retry', () => acts.retrySend(item.id)),
    edit(t('pending.edit')),
  ];
}

function quiet(name, label, act, onclick) {
  return h('button', { type: 'button', class: 'quiet', 'data-act': act, onclick }, icon(name), h('span', {}, label));
}

function answerRow(row, acts, context) {
  const body = h('div', { class: 'body prose' });
  const rendering = new Rendering(body);
  const thinking = h('div', { class: 'thinking', 'aria-hidden': 'true' }, h('i'), h('i'), h('i'));
  const quote = h('div', { class: 'quote', hidden: true });
  const thought = thoughts();
  const foot = h('div', { class: 'foot' });
  const element = h(
    'article',
    { class: 'row answer', 'data-role': 'assistant', 'data-answer': row.answer },
    h('div', { class: 'head' }, h('span', { class: 'author' }, config.name)),
    quote,
    thought.element,
    body,
    thinking,
    foot,
  );
  let version = -1;
  let state = '';
  let stalls = 0;
  const update = (current, previous) => {
    const question = context.conversation.messages.get(current.message);
    const apart = question && previous && previous !== question;
    quote.hidden = !apart;
    if (apart) quote.textContent = t('answer.to', { text: question.text.slice(0, 120) });
    const problem = current.problem ?? '';
    if (version !== current.version) {
      version = current.version;
      thought.update(current);
      rendering.show(current.state === 'running' ? closeOpen(current.text) : current.text);
      thinking.hidden = current.state !== 'running' || current.text !== '';
      // Words that come show that it goes on; when none come, a caret does.
      clearTimeout(stalls);
      element.dataset.stalled = 'false';
      if (current.state === 'running')
        stalls = setTimeout(() => {
          element.dataset.stalled = 'true';
        }, STALLED_AFTER_MS);
    }
    if (state !== current.state + problem) {
      state = current.state + problem;
      element.dataset.state = current.state;
      element.setAttribute('aria-busy', String(current.state === 'running'));
      foot.replaceChildren(...answerFoot(current, acts, problem));
    }
  };
  return { element, update };
}
