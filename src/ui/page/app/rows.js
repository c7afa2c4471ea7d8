// One row of the log as an element: made once, brought up to date as what it shows changes.

import { copyable } from './copy.js';
import { h, icon } from './dom.js';
import { closeOpen, Rendering } from './markdown.js';
import { clock, person } from './people.js';

const NAMES = { assistant: 'Sophie', operator: 'Operator', system: 'System' };

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
        h('div', { class: 'divider' }, h('span', {}, 'The server no longer keeps what is above. The conversation begins anew here.')),
      );
    default:
      return noteRow(row);
  }
}

const still = (element) => ({ element, update() {} });

function noteRow({ text, detail }) {
  const content = detail ? h('details', {}, h('summary', {}, text), h('pre', { tabindex: '0' }, detail)) : h('span', {}, text);
  return still(h('div', { class: 'note' }, content));
}

function messageRow(row, { user }) {
  const own = row.role === 'user' && row.author === user;
  const name = own ? 'You' : row.role === 'user' ? person(row.author) : (NAMES[row.role] ?? row.role);
  // An operator's name tells more than the role alone, and the role must not be taken for a name that a user chose.
  const named = row.role === 'operator' && row.author && row.author.toLowerCase() !== 'operator';
  const author = named ? `${row.author} · Operator` : name;
  const body = h('div', { class: row.role === 'user' ? 'body plain' : 'body prose' });
  if (row.role === 'user') body.textContent = row.text;
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
      body,
    ),
  );
}

function pendingRow(row, acts) {
  const body = h('div', { class: 'body plain' }, row.text);
  const foot = h('div', { class: 'foot', 'aria-live': 'polite' });
  const element = h(
    'article',
    { class: 'row message pending', 'data-role': 'user', 'data-own': 'true', 'data-pending': row.id },
    h('div', { class: 'head visually-hidden' }, h('span', { class: 'author' }, 'You')),
    body,
    foot,
  );
  let shown = '';
  let timer = 0;
  const update = () => {
    clearTimeout(timer);
    const { item } = row;
    element.dataset.state = item.state;
    element.hidden = Boolean(item.echoed);
    const wait = item.state === 'failed' ? Math.max(0, Math.ceil((item.retryAt - Date.now()) / 1_000)) : 0;
    if (wait) timer = setTimeout(update, 1_000);
    const next = [item.state, item.why, item.error?.message].join('\n');
    if (next !== shown) {
      shown = next;
      foot.replaceChildren(...pendingFoot(row, acts));
    }
    const button = foot.querySelector('[data-act=retry]');
    if (button) {
      button.disabled = wait > 0;
      button.lastChild.textContent = wait ? `Retry in ${wait} s` : 'Retry';
    }
  };
  update();
  return { element, update };
}

// The server's own sentences of these speak to programs, and of the seconds as they were then.
const PROBLEMS = {
  rate_limited: 'You have reached the limit of this server for now.',
  busy: 'Other answers are still being written. Retry when one has ended.',
};

const problem = ({ code, message }) => PROBLEMS[code] ?? message;

function pendingFoot({ item }, acts) {
  if (item.state !== 'failed') return [h('span', { class: 'state' }, item.state === 'queued' ? item.why || 'Waiting to send' : '')];
  return [
    h('span', { class: 'problem' }, icon('alert'), h('span', {}, problem(item.error))),
    h(
      'button',
      { type: 'button', class: 'quiet', 'data-act': 'retry', onclick: () => acts.retrySend(item.id) },
      icon('retry'),
      h('span', {}, 'Retry'),
    ),
    h(
      'button',
      { type: 'button', class: 'quiet', 'data-act': 'edit', onclick: () => acts.editSend(item.id) },
      icon('edit'),
      h('span', {}, 'Edit'),
    ),
  ];
}

function answerRow(row, acts, context) {
  const body = h('div', { class: 'body prose' });
  const rendering = new Rendering(body);
  const thinking = h('div', { class: 'thinking', 'aria-hidden': 'true' }, h('i'), h('i'), h('i'));
  const quote = h('div', { class: 'quote', hidden: true });
  const foot = h('div', { class: 'foot' });
  const element = h(
    'article',
    { class: 'row answer', 'data-role': 'assistant', 'data-answer': row.answer },
    h('div', { class: 'head' }, h('span', { class: 'author' }, 'Sophie')),
    quote,
    body,
    thinking,
    foot,
  );
  let version = -1;
  let state = '';
  const update = (current, previous) => {
    const question = context.conversation.messages.get(current.message);
    const apart = question && previous && previous !== question;
    quote.hidden = !apart;
    if (apart) quote.textContent = `To: ${question.text.slice(0, 120)}`;
    const problem = current.problem ?? '';
    if (version !== current.version) {
      version = current.version;
      rendering.show(current.state === 'running' ? closeOpen(current.text) : current.text);
      thinking.hidden = current.state !== 'running' || current.text !== '';
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

function answerFoot(row, acts, problem) {
  if (row.state === 'running') return [];
  const why =
    { failed: row.reason || 'The answer could not be finished.', cancelled: 'Stopped' }[row.state] ??
    (row.finishReason === 'length' ? 'Cut off at the length limit' : '');
  const retry = row.message
    ? h(
        'button',
        { type: 'button', class: 'quiet', 'data-act': 'retry', title: 'Ask for another answer', onclick: () => acts.retryAnswer(row) },
        icon('retry'),
        h('span', {}, 'Retry'),
      )
    : null;
  const parts = [
    why
      ? h(
          'span',
          { class: row.state === 'failed' ? 'problem' : 'state' },
          row.state === 'failed' ? icon('alert') : null,
          h('span', {}, why),
        )
      : null,
    row.text ? copyable('Copy answer', () => row.text) : null,
    retry,
    problem ? h('span', { class: 'problem', role: 'alert' }, problem) : null,
  ];
  return parts.filter(Boolean);
}
