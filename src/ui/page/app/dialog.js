// Questions that want an answer before anything else: dialogs of the browser's own, which keep the focus and close at Esc.

import { h } from './dom.js';
import { t } from './texts.js';

let count = 0;

// Asks by a form. `build` gives its content; `actions` are [{value, label, kind}]. Resolves with what `read(value)` makes of
// the button that was pressed, or null when the dialog was closed. `check(value)` may say what is wrong, and it stays open.
export function ask({ title, content, actions, check = () => '', read = (value) => value }) {
  const id = `dialog-${++count}`;
  const problem = h('p', { class: 'problem', role: 'alert' });
  const buttons = actions.map(({ value, label, kind }) =>
    h('button', { type: kind === 'main' ? 'submit' : 'button', class: `dialog-button ${kind ?? ''}`, 'data-value': value, onclick: kind === 'main' ? null : () => end(value) }, label),
  );
  const form = h('form', { method: 'dialog' }, h('h2', { id }, title), ...content, problem, h('div', { class: 'dialog-actions' }, ...buttons));
  const dialog = h('dialog', { class: 'dialog', 'aria-labelledby': id }, form);
  const before = document.activeElement;
  let answer = null;
  const end = (value) => {
    const wrong = check(value);
    problem.textContent = wrong;
    if (wrong) return;
    answer = read(value);
    dialog.close();
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    end(actions.find(({ kind }) => kind === 'main').value);
  });
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      before?.focus?.({ preventScroll: true });
      resolve(answer);
    });
    dialog.showModal();
  });
}

// Cancel is what Enter presses: what cannot be taken back is not done by chance.
export async function confirm({ title, what, action }) {
  const actions = [
    { value: 'no', label: t('dialog.cancel'), kind: 'main' },
    { value: 'yes', label: action, kind: 'danger' },
  ];
  return (await ask({ title, content: [h('p', {}, what)], actions })) === 'yes';
}
