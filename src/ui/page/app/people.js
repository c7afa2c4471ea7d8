// How people, groups and times are called on this page.

import { config } from './config.js';
import { nameIn } from './guest.js';
import { language, t } from './texts.js';

// What a guest must not seem to be, whatever name it chose.
const RESERVED = new Set([config.name, t('role.operator'), t('role.system'), t('person.you'), 'operator', 'system', 'admin'].map(fold));

function fold(name) {
  return name.toLocaleLowerCase();
}

export function person(user) {
  if (!user) return t('person.someone');
  if (!user.startsWith('guest:')) return user;
  const session = user.slice(6);
  const name = nameIn(session);
  if (!name) return t('person.guest', { name: session.slice(0, 6) });
  return RESERVED.has(fold(name)) ? t('person.named', { name }) : name;
}

// Several of them, a few by name.
export function crowd(users) {
  if (users.length > 3) return t('people.n', { n: users.length });
  return listed(users.map(person));
}

export function listed(names) {
  if (names.length < 2) return names[0] ?? '';
  return t('people.and', { names: names.slice(0, -1).join(', '), last: names.at(-1) });
}

export function title(group, home) {
  if (group === home) return t('bar.this-chat');
  return group;
}

export function clock(time) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return '';
  const today = date.toDateString() === new Date().toDateString();
  const style = today ? { hour: '2-digit', minute: '2-digit' } : { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' };
  return date.toLocaleString(language, style);
}
