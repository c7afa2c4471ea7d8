// The parts that are lists: each reads a page, and shows it.

import { ask } from './ask.js';
import { h } from './dom.js';
import { act, head, link, part, state, tile } from './pieces.js';
import { fill, paged, table } from './table.js';
import { moment, number, size, t } from './words.js';

export function groups({ api }) {
  const columns = [
    { title: t('name'), kind: 'name', of: (row) => link('group', row.name) },
    { title: t('members'), kind: 'number', of: (row) => number(row.members) },
    { title: t('nodes'), kind: 'number', of: (row) => number(row.nodes) },
    { title: t('last_event'), kind: 'number', of: (row) => number(row.last_seq) },
    { title: t('assistant'), of: (row) => (row.assistant ? state('good', t('on')) : state('bad', t('off'))) },
    { title: t('created'), kind: 'time', of: (row) => moment(row.created_at) },
    { title: t('expires'), kind: 'time', of: (row) => moment(row.expires_at) },
  ];
  const read = async (query) => {
    const page = await api.get(`groups?${query}`);
    return { rows: page.groups, next: page.next_cursor };
  };
  return part(t('groups'), paged({ columns, read }));
}

export function sessions({ api }) {
  const columns = [
    { title: t('session'), kind: 'name', of: (row) => link('session', row.session) },
    { title: t('user'), kind: 'name', of: (row) => row.user },
    { title: t('sockets'), kind: 'number', of: (row) => number(row.sockets.length) },
    { title: t('nodes'), kind: 'name', of: (row) => [...new Set(row.sockets.map((socket) => socket.node))].join(', ') },
    { title: t('groups'), kind: 'number', of: (row) => number(row.groups.length) },
  ];
  const read = async (query) => {
    const page = await api.get(`sessions?${query}`);
    return { rows: page.sessions, next: page.next_cursor };
  };
  return part(t('sessions'), paged({ columns, read, nothing: t('no_sockets') }));
}

// A list that is read whole.
function whole(title, { columns, read, nothing, watch }) {
  const place = h('div', {}, h('p', { class: 'note' }, t('loading')));
  const refresh = async () => fill(place, columns, await read(), nothing);
  return { title, element: h('div', {}, head(title), place), refresh, watch };
}

export function nodes({ live }) {
  return whole(t('nodes'), {
    columns: [
      { title: t('node'), kind: 'name', of: (row) => row.node },
      { title: t('state'), of: (row) => (row.draining ? state('bad', t('going')) : state('good', t('serving'))) },
      { title: t('version'), of: (row) => row.version },
      { title: t('since'), kind: 'time', of: (row) => moment(row.since) },
      { title: t('sockets'), kind: 'number', of: (row) => number(row.sockets) },
      { title: t('sessions'), kind: 'number', of: (row) => number(row.sessions) },
      { title: t('groups'), kind: 'number', of: (row) => number(row.groups) },
      { title: t('delay'), kind: 'number', of: (row) => `${number(row.mailbox_ms.registry)} ms` },
    ],
    read: async () => live.nodes,
    nothing: t('connecting'),
    watch: (live) => live.looks,
  });
}

export function answers({ api }) {
  return whole(t('answers'), {
    columns: [
      { title: t('answer'), kind: 'name', of: (row) => h('span', { class: 'mono' }, row.answer) },
      { title: t('model'), kind: 'name', of: (row) => row.model },
      { title: t('group'), kind: 'name', of: (row) => (row.group ? link('group', row.group) : null) },
      { title: t('since'), kind: 'time', of: (row) => moment(row.since) },
      { title: t('written_here'), of: (row) => (row.written_here ? t('yes') : t('no')) },
      { title: t('readers'), of: (row) => Object.entries(row.readers ?? {}).map(([how, count]) => `${how} ${count}`).join(', ') },
      { title: t('sockets'), kind: 'number', of: (row) => number(row.sockets ?? 0) },
    ],
    read: async () => (await api.get('answers')).answers,
    nothing: t('no_answers'),
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
    const told = await api.act('DELETE', `limits/${encodeURIComponent(subject)}`);
    say(t('given_back', { subject }));
    if (found.dataset.subject === subject) show(told);
    await refresh();
  };
  const giveBack = (subject) => act(`give ${subject}`, 'quiet', t('give_back'), () => give(subject));
  const refresh = async () => {
    const { edge } = await api.get('limits');
    const columns = [
      { title: t('subject'), kind: 'name', of: (row) => row.subject },
      { title: t('limit'), of: (row) => row.limit },
      { title: t('times'), kind: 'number', of: (row) => number(row.refused) },
      { title: t('last'), kind: 'time', of: (row) => moment(row.last_at) },
      { title: t('node'), kind: 'name', of: (row) => row.node },
      ...(acts ? [{ title: t('act'), kind: 'acts', of: (row) => giveBack(row.subject) }] : []),
    ];
    fill(place, columns, edge, t('no_edge'));
  };
  const name = h('input', { name: 'subject', required: true, autocomplete: 'off', spellcheck: 'false' });
  const form = h('form', { class: 'row' }, h('label', {}, t('look_up'), name), h('button', { class: 'quiet' }, t('find')));
  form.onsubmit = async (event) => {
    event.preventDefault();
    show(await api.get(`limits/${encodeURIComponent(name.value.trim())}`));
  };
  const show = (told) => {
    const columns = [
      { title: t('limit'), of: (row) => row.name },
      { title: t('left'), kind: 'number', of: (row) => t('of', { part: number(row.remaining), all: number(row.limit) }) },
      { title: t('full_at'), kind: 'time', of: (row) => (row.remaining < row.limit ? moment(row.reset_at) : null) },
    ];
    found.dataset.subject = told.subject;
    found.replaceChildren(h('div', { class: 'head' }, h('h3', {}, told.subject), acts && giveBack(told.subject)), table(columns, told.limits, t('no_limits')));
  };
  return { title: t('limits'), element: h('div', {}, head(t('limits')), h('p', { class: 'note' }, t('edge_note')), place, h('br'), form, found), refresh };
}
