// One session: its sockets, its groups, and the way to send it away.

import { ask } from './ask.js';
import { h } from './dom.js';
import { head, link } from './pieces.js';
import { shownRating } from './ratings.js';
import { fill } from './table.js';
import { moment, number, size, t } from './words.js';

export function session({ api, acts, say, argument: name }) {
  const at = `sessions/${encodeURIComponent(name)}`;
  const facts = h('p', { class: 'note' }, t('loading'));
  const sockets = h('div', {});
  const groups = h('div', {});
  const rated = h('div', {});
  const columns = [
    { title: t('node'), kind: 'name', of: (row) => row.node },
    { title: t('address'), of: (row) => row.address },
    { title: t('since'), kind: 'time', of: (row) => moment(row.since) },
    { title: t('queued'), kind: 'number', of: (row) => size(row.queued_bytes) },
  ];
  const ratings = [
    { title: t('at'), kind: 'time', of: (row) => moment(row.created_at) },
    { title: t('rating'), of: shownRating },
    { title: t('text'), kind: 'words', of: (row) => row.text },
    { title: t('group'), kind: 'name', of: (row) => link('group', row.group) },
  ];
  const refresh = async () => {
    const told = await api.get(at);
    facts.textContent = `${t('user')} ${told.user ?? '–'} · ${t('answers')} ${number(told.answers)} · ${t('last_event')} ${number(told.last_seq)} · ${t('expires')} ${moment(told.expires_at)}`;
    button.disabled = !told.sockets.length;
    fill(sockets, columns, told.sockets, t('no_sockets'));
    fill(groups, [{ title: t('name'), kind: 'name', of: (row) => link('group', row) }], told.groups);
    fill(rated, ratings, told.feedback, t('no_ratings'));
  };
  const disconnect = async () => {
    if (!(await ask(t('disconnect_ask', { session: name }), t('disconnect')))) return;
    const told = await api.act('DELETE', at);
    say(told.pending?.length ? t('pending', { nodes: told.pending.join(', ') }) : t('done'));
    await refresh();
  };
  const button = h('button', { class: 'danger', type: 'button', disabled: true, onclick: disconnect }, t('disconnect'));
  const section = (title, ...shown) => [h('h3', {}, title), shown];
  return {
    title: name,
    part: 'sessions',
    element: h('div', {}, head(name, acts && button), facts, section(t('sockets'), sockets), section(t('groups'), groups), section(t('feedback'), rated)),
    refresh,
  };
}
