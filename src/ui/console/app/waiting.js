// The groups that wait for a person, the one that has waited longest first.

import { ask } from './ask.js';
import { h } from './dom.js';
import { act, link, part } from './pieces.js';
import { paged } from './table.js';
import { ago, moment, number, t } from './words.js';

export function waiting({ api, acts, say }) {
  const dismiss = async (group) => {
    if (!(await ask(t('dismiss_ask', { group }), t('dismiss')))) return;
    await api.act('DELETE', `waiting/${encodeURIComponent(group)}`);
    say(t('done'));
    await list.refresh();
  };
  const takeOver = async (group) => {
    if (!(await ask(t('take_over_ask', { group }), t('take_over')))) return;
    await api.act('DELETE', `groups/${encodeURIComponent(group)}/assistant`);
    location.hash = `#group/${encodeURIComponent(group)}`;
  };
  const buttons = ({ group }) => [
    act(`take ${group}`, 'act', t('take_over'), () => takeOver(group)),
    ' ',
    act(`dismiss ${group}`, 'quiet', t('dismiss'), () => dismiss(group)),
  ];
  const columns = [
    { title: t('waits'), kind: 'time', of: (row) => [ago(row.since), h('div', { class: 'small' }, moment(row.since))] },
    { title: t('group'), kind: 'name', of: (row) => link('group', row.group) },
    ...(acts ? [{ title: t('act'), kind: 'acts', of: buttons }] : []),
    { title: t('text'), kind: 'words', of: (row) => row.text },
    { title: t('user'), kind: 'name', of: (row) => link('session', row.session, row.user) },
    { title: t('members'), kind: 'number', of: (row) => number(row.members) },
  ];
  const read = async (query) => {
    const page = await api.get(`waiting?${query}`);
    return { rows: page.waiting, next: page.next_cursor };
  };
  const list = paged({ columns, read, nothing: t('no_queue') });
  return { ...part(t('waiting'), list), watch: ({ news }) => `${news.waiting} ${news.newest?.group} ${news.newest?.since}` };
}
