// Which conversation this page shows, from its address: `#session=NAME`, `#group=NAME` or both, and once `&token=T`.
//
// The fragment, because a browser keeps it to itself: who knows a session's name may read along where no token is
// asked for, so it should not stand in access logs and referrers as a query would.
//
// `#group=NAME` alone is what is given to others: each browser joins the group with the session that it has for groups.

import { embed } from './embed.js';
import { me } from './guest.js';
import { randomName } from './names.js';
import { keep, kept } from './storage.js';

const SESSION = /^[A-Za-z0-9_-]{1,64}$/;
export const GROUP = /^[A-Za-z0-9_.-]{1,99}$/;
const TOKEN = 'sophie.token';

// {session, group, token}: `session` is '' for whoever comes by a group's link and has none yet.
export function here() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  let token = fragment.get('token');
  // A token lives as long as the tab: reloading works, and copying the address does not give it away.
  if (token) remember(token);
  else token = kept(TOKEN, 'sessionStorage') ?? '';
  const named = (name, legal) => (legal.test(fragment.get(name) ?? '') ? fragment.get(name) : '');
  const group = named('group', GROUP);
  let session = named('session', SESSION);
  if (!session) session = group ? (me()?.session ?? '') : randomName(22);
  if (session) stand(session, group);
  else if (fragment.has('token')) history.replaceState(history.state, '', linkTo(group));
  return { session, group, token };
}

export const remember = (token) => keep(TOKEN, token || null, 'sessionStorage');

export function addressOf(session) {
  return new URL(`#session=${session}`, location.href).href;
}

export function linkTo(group) {
  return new URL(`#group=${group}`, location.href).href;
}

// Makes the address that of what is shown, so that reloading comes back to it.
// The address of a frame stays what the site gave it.
export function stand(session, group = '') {
  if (embed) return;
  let address = addressOf(session);
  if (group) address = me()?.session === session ? linkTo(group) : `${address}&group=${group}`;
  history.replaceState(history.state, '', address);
}

export function another() {
  location.assign(addressOf(randomName(22)));
}

export function endpoint(session) {
  const url = new URL(`ws/chat/${session}`, document.baseURI);
  url.hash = '';
  url.search = '';
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

// Why the server refuses the connection, asked over plain HTTP, where the reason can be read.
export async function explain(session, token) {
  const url = new URL(`ws/chat/${session}`, document.baseURI);
  url.hash = '';
  url.search = '';
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const response = await fetch(url, { headers, cache: 'no-store' });
  if (![401, 403, 429, 503].includes(response.status)) return null;
  const body = await response.json().catch(() => ({}));
  return {
    code: body.error?.code ?? '',
    reason: body.error?.message ?? `HTTP ${response.status}`,
    final: response.status === 401 || response.status === 403,
    retryInMs: 1_000 * Number(response.headers.get('retry-after')) || 0,
  };
}
