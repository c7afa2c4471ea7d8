// Asking a guest for a name, before a group is joined by its link.

import { ask } from './dialog.js';
import { h } from './dom.js';
import { becomes, me, sessionFor, tidy } from './guest.js';
import { t } from './texts.js';

// The session under that name, which this browser keeps for its groups; null if the question was closed.
export async function named(group, { skip = true } = {}) {
  const input = h('input', { id: 'guest-name', class: 'field', type: 'text', maxlength: '40', autocomplete: 'nickname', autofocus: true });
  const name = () => tidy(input.value);
  const actions = [
    ...(skip ? [{ value: 'skip', label: t('name.skip') }] : [{ value: 'cancel', label: t('dialog.cancel') }]),
    { value: 'name', label: t('name.do'), kind: 'main' },
  ];
  const chosen = await ask({
    title: t('name.ask', { group }),
    content: [h('p', { id: 'guest-what' }, t('name.what')), h('label', { for: 'guest-name' }, t('name.label')), input],
    actions,
    check: (value) => (value === 'name' && sessionFor(name()) === null ? t('name.long') : ''),
    read: (value) => (value === 'cancel' ? null : value === 'name' ? name() : ''),
  });
  if (chosen === null) return null;
  const session = sessionFor(chosen);
  becomes(session, chosen);
  return session;
}

// The same without a name: where accounts have names, or none was wanted.
export function nameless() {
  const session = me()?.session ?? sessionFor('');
  becomes(session, me()?.name ?? '');
  return session;
}
