// Which conversation this page shows, from its address: `#session=NAME`, and once `&token=T`.
//
// The fragment, because a browser keeps it to itself: who knows a session's name may read along where no token is
// asked for, so it should not stand in access logs and referrers as a query would.

import { randomName } from './names.js';

const LEGAL = /^[A-Za-z0-9_-]{1,64}$/;

export function here() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get('token');
  // A token lives as long as the tab: reloading works, and copying the address does not give it away.
  if (token) keep('sophie.token', token);
  let session = fragment.get('session') ?? '';
  if (!LEGAL.test(session)) session = randomName(22);
  history.replaceState(history.state, '', addressOf(session));
  return { session, token: token || kept('sophie.token') };
}

export function addressOf(session) {
  return new URL(`#session=${session}`, location.href).href;
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
    reason: body.error?.message ?? `The server answered ${response.status}.`,
    final: response.status === 401 || response.status === 403,
    retryInMs: 1_000 * Number(response.headers.get('retry-after')) || 0,
  };
}

function keep(name, value) {
  try {
    sessionStorage.setItem(name, value);
  } catch {
    // Storage may be off: then the token lasts until the page is left.
  }
}

function kept(name) {
  try {
    return sessionStorage.getItem(name) ?? '';
  } catch {
    return '';
  }
}
