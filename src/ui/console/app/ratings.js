// What people think of answers and chats: in a few numbers, and one by one.

import { h } from './dom.js';
import { link, part, state, tile } from './pieces.js';
import { paged } from './table.js';
import { moment, number, t } from './words.js';

// What may be chosen, as the server is asked for it.
const CHOICES = [
  ['all', {}],
  ['good', { of: 'answer', rating: 1 }],
  ['bad', { of: 'answer', rating: -1 }],
  ...[5, 4, 3, 2, 1].map((stars) => [`${stars}`, { of: 'session', rating: stars }]),
];

const named = (choice) => ({ all: t('every_rating'), good: t('good'), bad: t('bad') })[choice] ?? t('stars', { stars: choice });

export function shownRating(row) {
  if (row.answer === null) return state(row.rating > 3 ? 'good' : row.rating < 3 ? 'bad' : '', t('stars', { stars: `${row.rating}` }));
  return row.rating > 0 ? state('good', t('good')) : state('bad', t('bad'));
}

export function feedback({ api }) {
  const tiles = h('dl', { class: 'tiles' });
  const choice = h('select', { name: 'rating' }, CHOICES.map(([name]) => h('option', { value: name }, named(name))));
  const words = h('input', { type: 'checkbox', name: 'words' });
  const columns = [
    { title: t('at'), kind: 'time', of: (row) => moment(row.created_at) },
    { title: t('rating'), of: shownRating },
    { title: t('text'), kind: 'words', of: (row) => row.text },
    { title: t('user'), kind: 'name', of: (row) => link('session', row.session, row.user) },
    { title: t('group'), kind: 'name', of: (row) => link('group', row.group) },
  ];
  const read = async (query) => {
    for (const [name, value] of Object.entries(new Map(CHOICES).get(choice.value))) query.set(name, value);
    if (words.checked) query.set('words', true);
    const page = await api.get(`feedback?${query}`);
    return { rows: page.feedback, next: page.next_cursor };
  };
  const list = paged({ columns, read, searched: false, nothing: t('no_ratings') });
  choice.onchange = words.onchange = () => list.first();
  const filter = h('div', { class: 'row filter' }, h('label', {}, t('show'), choice), h('label', { class: 'check' }, words, t('with_words')));
  const sum = async () => {
    const { answers, sessions } = await api.get('feedback/summary');
    const average = sessions.average === null ? '–' : t('of', { part: number(sessions.average), all: '5' });
    tiles.replaceChildren(tile(t('good_answers'), number(answers.good)), tile(t('bad_answers'), number(answers.bad)), tile(t('rated_chats'), number(sessions.count)), tile(t('average'), average));
  };
  return {
    ...part(t('feedback'), list, tiles, filter),
    refresh: () => Promise.all([sum(), list.refresh()]),
    watch: ({ news }) => `${news.rating}`,
  };
}
