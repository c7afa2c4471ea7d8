// Tables, and lists that are read page by page.

import { h } from './dom.js';
import { t } from './words.js';

// `columns`: `[{ title, kind?, of(row) }]`, each `of` a text, an element or several of them; kinds are `name`, `number`, `time`, `words`, `acts`.
export function table(columns, rows, nothing = t('empty')) {
  if (!rows.length) return h('p', { class: 'empty card' }, nothing);
  const kind = (column) => column.kind ?? null;
  const cells = (row) => columns.map((column) => h('td', { class: kind(column) }, column.of(row) ?? '–'));
  return h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'group' },
    h('table', {}, h('thead', {}, h('tr', {}, columns.map((column) => h('th', { scope: 'col', class: kind(column) }, column.title)))), h('tbody', {}, rows.map((row) => h('tr', {}, cells(row))))),
  );
}

// Puts a table into a place. Rows that are as they were stay, so that the focus and what was scrolled stay with them.
export function fill(place, columns, rows, nothing) {
  const fresh = table(columns, rows, nothing);
  const [old, now] = [place.firstElementChild, fresh].map((it) => it?.querySelector('table'));
  if (!old || !now || !old.tHead.isEqualNode(now.tHead)) {
    place.replaceChildren(fresh);
    return;
  }
  const body = old.tBodies[0];
  let at = body.firstElementChild;
  for (const row of [...now.tBodies[0].rows]) {
    let same = at;
    while (same && !same.isEqualNode(row)) same = same.nextElementSibling;
    if (!same) {
      body.insertBefore(row, at);
      continue;
    }
    while (at !== same) {
      const gone = at;
      at = at.nextElementSibling;
      gone.remove();
    }
    at = same.nextElementSibling;
  }
  while (at) {
    const gone = at;
    at = at.nextElementSibling;
    gone.remove();
  }
}

// A list of the server, a page at a time. `read(query)` gives `{ rows, next }`.
export function paged({ columns, read, searched = true, nothing }) {
  const place = h('div', {}, h('p', { class: 'note' }, t('loading')));
  const next = h('button', { class: 'quiet', type: 'button', disabled: true }, t('more'));
  const first = h('button', { class: 'quiet', type: 'button', disabled: true }, t('first_page'));
  const search = h('input', { type: 'search', name: 'prefix', autocomplete: 'off', spellcheck: 'false' });
  let [prefix, cursor, following, turn] = ['', null, null, 0];
  const show = async () => {
    const mine = ++turn;
    const query = new URLSearchParams({ limit: 50, ...(prefix && { prefix }), ...(cursor && { cursor }) });
    const { rows, next: more } = await read(query);
    if (mine !== turn) return;
    following = more;
    next.disabled = !more;
    first.disabled = !cursor;
    pages.hidden = !more && !cursor;
    fill(place, columns, rows, nothing);
  };
  const go = (to) => {
    cursor = to;
    return show();
  };
  next.onclick = () => go(following);
  first.onclick = () => go(null);
  const form = h('form', { class: 'row', role: 'search' }, h('label', {}, t('search'), search), h('button', { class: 'quiet' }, t('find')));
  form.onsubmit = (event) => {
    event.preventDefault();
    prefix = search.value.trim();
    go(null);
  };
  const pages = h('div', { class: 'pages', hidden: true }, first, next);
  const element = h('div', {}, searched && h('div', { class: 'head' }, form), place, pages);
  return { element, refresh: show, first: () => go(null) };
}
