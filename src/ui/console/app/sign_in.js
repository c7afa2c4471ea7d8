// The form that asks for the token.

import { h } from './dom.js';
import { t } from './words.js';

export function signIn(trouble, signed) {
  const token = h('input', { id: 'token', type: 'password', required: true, autocomplete: 'current-password', spellcheck: 'false' });
  const form = h(
    'form',
    { class: 'card sign-in' },
    h('h2', {}, t('sign_in')),
    // Under this name a browser that keeps the token finds it again.
    h('input', { type: 'text', name: 'username', value: 'operator', autocomplete: 'username', hidden: true }),
    h('label', { for: 'token' }, t('token'), token),
    trouble && h('p', { class: 'trouble', role: 'alert' }, trouble),
    h('p', { class: 'note' }, t('sign_in_note')),
    h('button', { class: 'act' }, t('sign_in')),
  );
  form.onsubmit = (event) => {
    event.preventDefault();
    signed(token.value.trim());
  };
  queueMicrotask(() => token.focus());
  return form;
}
