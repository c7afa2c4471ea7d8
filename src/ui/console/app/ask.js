// Asks before something dangerous is done.

import { h } from './dom.js';
import { t } from './words.js';

// Whether the operator means it.
export function ask(question, action) {
  return new Promise((resolve) => {
    const answer = (meant) => () => {
      dialog.close();
      dialog.remove();
      resolve(meant);
    };
    const dialog = h(
      'dialog',
      { 'aria-labelledby': 'asked', oncancel: answer(false) },
      h('p', { id: 'asked' }, question),
      h('div', { class: 'row' }, h('button', { class: 'quiet', type: 'button', autofocus: true, onclick: answer(false) }, t('cancel')), h('button', { class: 'danger', type: 'button', onclick: answer(true) }, action)),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}
