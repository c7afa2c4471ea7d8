// One session: its sockets, its groups, and the way to send it away.

import { ask } from './ask.js';
import { h } from './dom.js';
import { head, link } from './lists.js';
import { table } from './table.js';
import { moment, number, size, t } from './words.js';

export function session({ api, acts, say, argument: name }) {
  const at = `sessions/${encodeURIComponent(name)}`;
  const place = h('div', {});
  const refresh = async () => {
    const told = await api.get(at);
    const columns = [
      { title: t('node'), of: (row) => row.node },
      { title: t('address'), of: (row) => row.address },
      { title: t('since'), of: (row) => moment(row.since) },
      { title: t('queued'), of: (row) => size(row.queued_bytes), number: true },
    ];
    const facts = `${t('user')} ${told.user ?? '–'} · ${t('answers')} ${number(told.answers)} · ${t('last_event')} ${number(told.last_seq)} · ${t('expires')} ${moment(told.expires_at)}`;
    place.replaceChildren(
      h('p', { class: 'note' }, facts),
      h('h3', {}, t('sockets')),
      table(columns, told.sockets),
      h('h3', {}, t('groups')),
      h('div', { class: 'card' }, h('ul', {}, told.groups.map((group) => h('li', {}, link('group', group))))),
    );
  };
  const disconnect = async () => {
    if (!(await ask(t('disconnect_ask', { session: name }), t('disconnect')))) return;
    const told = await api.act('DELETE', at);
    say(told.pending?.length ? t('pending', { nodes: told.pending.join(', ') }) : t('done'));
    await refresh();
  };
  const button = acts && h('button', { class: 'danger', type: 'button', onclick: disconnect }, t('disconnect'));
  return { title: name, part: 'sessions', element: h('div', {}, head(name, button), place), refresh };
}
