// The parts that are lists: each reads a page, and shows it.

import { ask } from './ask.js';
import { h } from './dom.js';
import { paged, table } from './table.js';
import { moment, number, size, t } from './words.js';

const link = (part, name) => h('a', { href: `#${part}/${encodeURIComponent(name)}` }, name);
const state = (kind, text) => h('span', { class: `state ${kind}` }, text);
const card = (...children) => h('div', { class: 'card' }, children);
const tile = (name, value) => h('div', { class: 'tile' }, h('dt', {}, name), h('dd', {}, value));
const head = (title, ...more) => h('div', { class: 'head' }, h('h2', {}, title), more);

const part = (title, list, ...above) => ({ title, element: h('div', {}, head(title), above, list.element), refresh: list.refresh });

export function groups({ api }) {
  const columns = [
    { title: t('name'), of: (row) => link('group', row.name) },
    { title: t('members'), of: (row) => number(row.members), number: true },
    { title: t('nodes'), of: (row) => number(row.nodes), number: true },
    { title: t('last_event'), of: (row) => number(row.last_seq), number: true },
    { title: t('assistant'), of: (row) => (row.assistant ? state('good', t('on')) : state('bad', t('off'))) },
    { title: t('created'), of: (row) => moment(row.created_at) },
    { title: t('expires'), of: (row) => moment(row.expires_at) },
  ];
  const read = async (query) => {
    const page = await api.get(`groups?${query}`);
    return { rows: page.groups, next: page.next_cursor };
  };
  return part(t('groups'), paged({ columns, read }));
}

export function sessions({ api }) {
  const columns = [
    { title: t('session'), of: (row) => link('session', row.session) },
    { title: t('user'), of: (row) => row.user },
    { title: t('sockets'), of: (row) => number(row.sockets.length), number: true },
    { title: t('nodes'), of: (row) => [...new Set(row.sockets.map((socket) => socket.node))].join(', ') },
    { title: t('groups'), of: (row) => number(row.groups.length), number: true },
  ];
  const read = async (query) => {
    const page = await api.get(`sessions?${query}`);
    return { rows: page.sessions, next: page.next_cursor };
  };
  return part(t('sessions'), paged({ columns, read }));
}

// A list that is read whole.
function whole(title, { columns, read, nothing, above = [] }) {
  const place = h('div', {}, h('p', { class: 'note' }, t('loading')));
  const refresh = async () => place.replaceChildren(table(columns, await read(), nothing));
  return { title, element: h('div', {}, head(title), above, place), refresh };
}

export function nodes({ live }) {
  return whole(t('nodes'), {
    columns: [
      { title: t('node'), of: (row) => row.node },
      { title: t('state'), of: (row) => (row.draining ? state('bad', t('going')) : state('good', t('serving'))) },
      { title: t('version'), of: (row) => row.version },
      { title: t('since'), of: (row) => moment(row.since) },
      { title: t('sockets'), of: (row) => number(row.sockets), number: true },
      { title: t('sessions'), of: (row) => number(row.sessions), number: true },
      { title: t('groups'), of: (row) => number(row.groups), number: true },
      { title: t('delay'), of: (row) => `${number(row.mailbox_ms.registry)} ms`, number: true },
    ],
    read: async () => live.nodes,
  });
}

export function answers({ api }) {
  return whole(t('answers'), {
    columns: [
      { title: t('answer'), of: (row) => h('span', { class: 'mono' }, row.answer) },
      { title: t('model'), of: (row) => row.model },
      { title: t('group'), of: (row) => (row.group ? link('group', row.group) : null) },
      { title: t('since'), of: (row) => moment(row.since) },
      { title: t('written_here'), of: (row) => (row.written_here ? t('yes') : t('no')) },
      { title: t('readers'), of: (row) => Object.entries(row.readers ?? {}).map(([how, count]) => `${how} ${count}`).join(', ') },
      { title: t('sockets'), of: (row) => number(row.sockets ?? 0), number: true },
    ],
    read: async () => (await api.get('answers')).answers,
  });
}

export function cache({ api, acts, say }) {
  const tiles = h('dl', { class: 'tiles' });
  const refresh = async () => {
    const held = await api.get('cache');
    const all = held.hits + held.coalesced + held.misses;
    const rate = all ? `${number(((held.hits + held.coalesced) * 100) / all)} %` : '–';
    tiles.replaceChildren(
      tile(t('entries'), number(held.entries)), tile(t('bytes'), size(held.bytes)), tile(t('hit_rate'), rate), tile(t('hits'), number(held.hits)),
      tile(t('shared'), number(held.coalesced)), tile(t('misses'), number(held.misses)), tile(t('saved_tokens'), number(held.saved_tokens)),
    );
  };
  const purge = async () => {
    if (!(await ask(t('purge_ask'), t('purge')))) return;
    const { purged } = await api.act('DELETE', 'cache');
    say(t('purged', { count: purged }));
    await refresh();
  };
  const button = acts && h('button', { class: 'danger', type: 'button', onclick: purge }, t('purge'));
  return { title: t('cache'), element: h('div', {}, head(t('cache'), button), tiles), refresh };
}

export function limits({ api, acts, say }) {
  const place = h('div', {});
  const found = h('div', {});
  const give = async (subject) => {
    if (!(await ask(t('give_back_ask', { subject }), t('give_back')))) return;
    await api.act('DELETE', `limits/${encodeURIComponent(subject)}`);
    say(t('given_back', { subject }));
    await refresh();
  };
  const giveBack = (subject) => acts && h('button', { class: 'quiet', type: 'button', onclick: () => give(subject) }, t('give_back'));
  const refresh = async () => {
    const { edge } = await api.get('limits');
    const columns = [
      { title: t('subject'), of: (row) => row.subject },
      { title: t('limit'), of: (row) => row.limit },
      { title: t('times'), of: (row) => number(row.refused), number: true },
      { title: t('last'), of: (row) => moment(row.last_at) },
      { title: t('node'), of: (row) => row.node },
      { title: '', of: (row) => giveBack(row.subject) || '' },
    ];
    place.replaceChildren(table(columns, edge));
  };
  const name = h('input', { name: 'subject', required: true, autocomplete: 'off', spellcheck: 'false' });
  const form = h('form', { class: 'row' }, h('label', {}, t('look_up'), name), h('button', { class: 'quiet' }, t('find')));
  form.onsubmit = async (event) => {
    event.preventDefault();
    const told = await api.get(`limits/${encodeURIComponent(name.value.trim())}`);
    const columns = [
      { title: t('limit'), of: (row) => row.name },
      { title: t('left'), of: (row) => t('of', { part: number(row.remaining), all: number(row.limit) }), number: true },
      { title: t('full_at'), of: (row) => moment(row.reset_at) },
    ];
    found.replaceChildren(h('div', { class: 'head' }, h('h3', {}, told.subject), giveBack(told.subject) || ''), table(columns, told.limits));
  };
  return { title: t('limits'), element: h('div', {}, head(t('limits')), h('p', { class: 'note' }, t('edge_note')), place, h('h3', {}, t('look_up')), form, found), refresh };
}

export function backends({ api }) {
  const place = h('div', {});
  const STATES = { closed: 'good', open: 'bad', half_open: '' };
  const refresh = async () => {
    const [told, usage] = await Promise.all([api.get('backends'), api.get('usage?by=model')]);
    const columns = [
      { title: t('name'), of: (row) => row.name },
      { title: t('state'), of: (row) => state(STATES[row.state], t(row.state)) },
      { title: t('url'), of: (row) => row.url },
      { title: t('model'), of: (row) => row.models.join(', ') },
      { title: t('requests'), of: (row) => number(row.requests), number: true },
      { title: t('failures'), of: (row) => number(row.failures), number: true },
      { title: t('last_error'), of: (row) => row.last_error && `${moment(row.last_error.at)}: ${row.last_error.detail}` },
    ];
    const spent = [
      { title: t('model'), of: (row) => row.name },
      { title: t('answers'), of: (row) => number(row.answers), number: true },
      { title: t('prompt'), of: (row) => number(row.prompt_tokens), number: true },
      { title: t('completion'), of: (row) => number(row.completion_tokens), number: true },
      { title: t('saved'), of: (row) => number(row.saved_tokens), number: true },
      { title: t('cost'), of: (row) => `${number(row.cost)} ${usage.currency}`, number: true },
    ];
    place.replaceChildren(table(columns, told.backends, t('no_backends')), h('h3', {}, t('usage_today')), table(spent, usage.rows));
  };
  return { title: t('backends'), element: h('div', {}, head(t('backends')), place), refresh };
}

export function redis({ api }) {
  const place = h('div', {});
  const refresh = async () => {
    const told = await api.get('redis');
    const ms = (value) => (typeof value === 'number' ? `${number(value)} ms` : '–');
    const columns = [
      { title: t('database'), of: (row) => row.name },
      { title: t('reachable'), of: (row) => (row.reachable ? state('good', t('yes')) : [state('bad', t('no')), ` ${row.reason ?? ''}`]) },
      { title: `${t('latency')} p50`, of: (row) => ms(row.latency_ms.p50), number: true },
      { title: `${t('latency')} p99`, of: (row) => ms(row.latency_ms.p99), number: true },
      { title: t('memory'), of: (row) => (row.maxmemory_bytes ? t('of', { part: size(row.memory_bytes), all: size(row.maxmemory_bytes) }) : size(row.memory_bytes)), number: true },
      { title: t('policy'), of: (row) => row.policy },
      { title: t('clients'), of: (row) => number(row.clients), number: true },
      { title: t('evictions'), of: (row) => number(row.evictions), number: true },
      { title: t('connections'), of: (row) => t('of', { part: row.connections.in_use, all: row.connections.cap }), number: true },
    ];
    const cells = columns.map((column) => ({ ...column, of: (row) => (Array.isArray(column.of(row)) ? h('span', {}, column.of(row)) : column.of(row)) }));
    const rows = Object.entries(told.databases).map(([name, view]) => ({ name, ...view }));
    const warnings = told.warnings.map((warning) => h('p', { class: 'trouble' }, warning));
    place.replaceChildren(...warnings, table(cells, rows, t('no_redis')));
  };
  return { title: t('redis'), element: h('div', {}, head(t('redis')), place), refresh };
}

export { card, head, link, state };
