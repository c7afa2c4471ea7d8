// Tables, and lists that are read page by page.

import { h } from './dom.js';
import { t } from './words.js';

// `columns`: `[{ title, of(row), number? }]`, each `of` a text or an element.
export function table(columns, rows, nothing = t('empty')) {
  if (!rows.length) return h('p', { class: 'empty card' }, nothing);
  const kind = (column) => (column.number ? 'number' : null);
  const cells = (row) => columns.map((column) => h('td', { class: kind(column) }, column.of(row) ?? '–'));
  return h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'group' },
    h('table', {}, h('thead', {}, h('tr', {}, columns.map((column) => h('th', { scope: 'col', class: kind(column) }, column.title)))), h('tbody', {}, rows.map((row) => h('tr', {}, cells(row))))),
  );
}

// A list of the server, a page at a time. `read(query)` gives `{ rows, next }`.
export function paged({ columns, read, searched = true, nothing }) {
  const place = h('div', {}, h('p', { class: 'note' }, t('loading')));
  const next = h('button', { class: 'quiet', type: 'button' }, t('more'));
  const first = h('button', { class: 'quiet', type: 'button' }, t('first_page'));
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
    place.replaceChildren(table(columns, rows, nothing));
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
  const element = h('div', {}, searched && h('div', { class: 'head' }, form), place, h('div', { class: 'pages' }, first, next));
  return { element, refresh: show };
}
