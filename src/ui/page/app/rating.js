// What is thought of an answer (a thumb up or down) or of the whole chat (one to five, with words).

import { ask } from './dialog.js';
import { announce, h, icon } from './dom.js';
import { reason } from './reason.js';
import { keep, kept } from './storage.js';
import { t } from './texts.js';

const KEY = 'sophie.rated';
const MOST = 200;
const MOST_CHARS = 2_000;

// The server does not tell one's own ratings again, so this browser remembers the last of them.
const rated = () => {
  const list = kept(KEY);
  return Array.isArray(list) ? list.filter((one) => Array.isArray(one)) : [];
};
const ratingOf = (answer) => rated().find(([name]) => name === answer)?.[1] ?? 0;

function remember(answer, rating) {
  keep(KEY, [[answer, rating], ...rated().filter(([name]) => name !== answer)].slice(0, MOST));
}

// Two buttons below an answer. `send(fields)` resolves when the server has it.
export function thumbs(answer, send) {
  const button = (rating, name) => {
    const label = t(rating > 0 ? 'rate.good' : 'rate.bad');
    return h('button', { type: 'button', class: 'quiet thumb', 'data-act': name, 'data-rating': rating, 'aria-label': label, title: label }, icon(name));
  };
  const buttons = [button(1, 'good'), button(-1, 'bad')];
  const show = () => {
    const now = ratingOf(answer);
    for (const one of buttons) one.setAttribute('aria-pressed', String(Number(one.dataset.rating) === now));
  };
  for (const one of buttons)
    one.addEventListener('click', async () => {
      const rating = Number(one.dataset.rating);
      try {
        await send({ answer, rating });
        remember(answer, rating);
        announce(t('rate.thanks'));
      } catch (refused) {
        announce(t('rate.failed', { why: reason(refused.code, refused.message) }));
      }
      show();
    });
  show();
  return buttons;
}

// Asks for one to five and, if they like, words. Resolves with {rating, text?} or null.
export async function askForRating() {
  const choice = (n) =>
    h('label', { class: 'star' }, h('input', { type: 'radio', name: 'rating', value: n }), h('span', {}, String(n)));
  const choices = h('fieldset', { class: 'stars' }, h('legend', {}, t('rate.chat.how')), ...[1, 2, 3, 4, 5].map(choice));
  const text = h('textarea', { id: 'rating-text', class: 'field', rows: '3', maxlength: MOST_CHARS });
  const rating = () => Number(choices.querySelector(':checked')?.value ?? 0);
  return ask({
    title: t('rate.chat'),
    content: [choices, h('label', { for: 'rating-text' }, t('rate.chat.words')), text],
    actions: [
      { value: 'no', label: t('dialog.cancel') },
      { value: 'yes', label: t('rate.chat.do'), kind: 'main' },
    ],
    check: (value) => (value === 'yes' && !rating() ? t('rate.chat.choose') : ''),
    read: (value) => (value === 'yes' ? { rating: rating(), ...(text.value.trim() ? { text: text.value.trim() } : {}) } : null),
  });
}
