// What the model thought of an answer, folded away above it: for who wants to read it. Its words are not read out as they come.

import { h } from './dom.js';
import { closeOpen, Rendering } from './markdown.js';
import { t } from './texts.js';

export function thoughts() {
  const summary = h('summary', {});
  const body = h('div', { class: 'prose' });
  const cut = h('p', { class: 'cut', hidden: true }, t('thoughts.cut'));
  const element = h('details', { class: 'thoughts', 'aria-live': 'off', hidden: true }, summary, body, cut);
  const rendering = new Rendering(body);
  let row = null;
  // Nothing is drawn for those who do not look.
  const draw = () => {
    if (!element.open || !row) return;
    rendering.show(row.state === 'running' ? closeOpen(row.reasoning) : row.reasoning);
    cut.hidden = !row.reasoningCut;
  };
  element.addEventListener('toggle', draw);
  const update = (current) => {
    row = current;
    element.hidden = !row.reasoning;
    if (element.hidden) return;
    const words = title(row);
    if (summary.textContent !== words) summary.textContent = words;
    draw();
  };
  return { element, update };
}

function title({ state, text, reasoningMs }) {
  if (state === 'running' && !text) return t('thoughts.now');
  if (reasoningMs === undefined) return t('thoughts.title');
  return reasoningMs < 1_000 ? t('thoughts.moment') : t('thoughts.s', { n: Math.round(reasoningMs / 1_000) });
}
