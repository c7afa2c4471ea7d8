// What operators did, newest first.

import { link, part, state } from './pieces.js';
import { paged } from './table.js';
import { moment, number, t, word } from './words.js';

const PARTS = { groups: 'group', waiting: 'group', sessions: 'session' };
const KINDS = { done: 'good', pending: '', refused: 'bad', failed: 'bad' };

// What an act was about: a path of the admin API, which leads to the part that shows it.
function about(path) {
  const [kind, name] = path.split(/[/?]/);
  try {
    const decoded = decodeURIComponent(name ?? '');
    return PARTS[kind] && decoded ? link(PARTS[kind], decoded) : decodeURIComponent(path);
  } catch {
    return path;
  }
}

export function audit({ api }) {
  const columns = [
    { title: t('at'), kind: 'time', of: (row) => moment(row.at) },
    { title: t('act'), of: (row) => word(`act_${row.act}`, row.act) },
    { title: t('about'), kind: 'name', of: (row) => about(row.about) },
    { title: t('outcome'), of: (row) => state(KINDS[row.outcome] ?? '', word(`outcome_${row.outcome}`, row.outcome)) },
    { title: t('times'), kind: 'number', of: (row) => number(row.done) },
    { title: t('who'), kind: 'name', of: (row) => word(`who_${row.who}`, row.who) },
    { title: t('from_where'), of: (row) => row.address },
  ];
  const read = async (query) => {
    const page = await api.get(`audit?${query}`);
    return { rows: page.acts, next: page.next_cursor };
  };
  const list = paged({ columns, read, searched: false, nothing: t('no_acts') });
  return { ...part(t('audit'), list), watch: ({ news }) => `${news.act}` };
}
