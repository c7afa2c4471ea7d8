// How people and groups are called on this page.

export function person(user) {
  if (!user) return 'Someone';
  return user.startsWith('guest:') ? `Guest ${user.slice(6, 12)}` : user;
}

// Several of them, a few by name.
export function crowd(users) {
  if (users.length === 1) return person(users[0]);
  if (users.length > 3) return `${users.length} people`;
  const names = users.map(person);
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

export function title(group, home) {
  if (group === home) return 'This chat';
  return group;
}

export function clock(time) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return '';
  const today = date.toDateString() === new Date().toDateString();
  const style = today ? { hour: '2-digit', minute: '2-digit' } : { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' };
  return date.toLocaleString([], style);
}
