// The groups that the panel lists.

import { apart } from './apart.js';
import { t } from './texts.js';

// Lets chats of one's own know the groups that a guest is in, as far as that is known by now.
export function noteGroups({ session, home, outside, conversations, client }) {
  if (apart.inGroups(session) && client.online && !outside) apart.joined([...conversations.keys()].filter((group) => group !== home));
}

// {group, name, unread, stays} of each; `stays` is what cannot be left from here.
export function listing({ session, home, outside, conversations }) {
  const inGroups = apart.inGroups(session);
  const joined = [...conversations.values()].filter(({ group }) => group !== home);
  const own = { group: home, name: t(inGroups ? 'groups.own' : 'bar.this-chat'), unread: inGroups ? 0 : (conversations.get(home)?.unread ?? 0), stays: true };
  const elsewhere = inGroups ? [] : apart.groups().filter((group) => !conversations.has(group));
  return [
    own,
    ...joined.map(({ group, unread }) => ({ group, name: group, unread, stays: group === outside })),
    ...elsewhere.map((group) => ({ group, name: group, unread: 0, stays: true })),
  ];
}
