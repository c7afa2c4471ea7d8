// Where a session is connected to, and why a server refuses it.

const SUBPROTOCOL = 'sophie.v1';
const SESSION = /^[A-Za-z0-9_-]{1,64}$/;

// A subprotocol is a token in HTTP's sense: what does not fit goes into the query, which is as good but for proxies' logs.
const HTTP_TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

// `globalThis.location` without the types of a browser having to be there.
interface Located {
  document?: { baseURI?: string };
  location?: { href?: string };
}

/** The address of a session: `url` is the service's (`https://chat.example.com`, with a path if it has one). */
export function endpoint(url: string, session: string): string {
  if (!SESSION.test(session)) throw new TypeError(`${session} is no name of a session: 1 to 64 of A-Z a-z 0-9 _ -`);
  const { document, location } = globalThis as Located;
  const base = document?.baseURI ?? location?.href;
  if (!url && !base) throw new TypeError('Where is the service? new Sophie({ url: "https://chat.example.com" })');
  const at = new URL(url || '.', base);
  if (!at.pathname.endsWith('/')) at.pathname += '/';
  at.search = '';
  at.hash = '';
  const found = new URL(`ws/chat/${encodeURIComponent(session)}`, at);
  if (found.protocol === 'https:') found.protocol = 'wss:';
  else if (found.protocol === 'http:') found.protocol = 'ws:';
  if (!/^wss?:$/.test(found.protocol)) throw new TypeError(`${url} is no address of a service: it begins with http, https, ws or wss`);
  return found.href;
}

/** The address and the subprotocols of one attempt. */
export function handshake(endpoint: string, token: string, since: { epoch: string; seq: number } | undefined): { url: string; protocols: string[] } {
  const url = new URL(endpoint);
  const protocols = [SUBPROTOCOL];
  if (since?.epoch) {
    url.searchParams.set('since', String(since.seq));
    url.searchParams.set('epoch', since.epoch);
  }
  if (token) {
    if (HTTP_TOKEN.test(token)) protocols.push(`bearer.${token}`);
    else url.searchParams.set('token', token);
  }
  return { url: url.href, protocols };
}

export interface Refusal {
  status: number;
  code: string;
  reason: string;
  retryInMs: number;
}

const REFUSALS = [401, 403, 429, 503];

/** Why the server refuses to connect, asked over plain HTTP, where it can be read; null if that is not to be known. */
export async function explain(endpoint: string, token: string, signal: AbortSignal): Promise<Refusal | null> {
  const url = new URL(endpoint);
  url.protocol = url.protocol === 'wss:' ? 'https:' : 'http:';
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  const response = await fetch(url, { headers, cache: 'no-store', signal });
  const { status } = response;
  if (!REFUSALS.includes(status)) return null;
  const body = (await response.json().catch(() => null)) as { error?: { code?: string; message?: string } } | null;
  return {
    status,
    code: body?.error?.code ?? '',
    reason: body?.error?.message ?? `The server answered ${status}.`,
    retryInMs: 1_000 * Number(response.headers.get('retry-after')) || 0,
  };
}
