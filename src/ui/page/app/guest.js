// Guests with names. A guest is called after the session (`guest:SESSION`), so a name that others are to see stands in the
// session's: `as-NAME--RANDOM`, spelled with letters and digits, `-` for a space and `_xx` for each other byte of UTF-8; or
// `ab-NAME--RANDOM` in Base64 where that is too long. Anybody may choose any name: it proves nothing.

import { kept, keep } from './storage.js';

const LONGEST = 40;
const ROOM = 43;
const NAMED = /^(as|ab)-([A-Za-z0-9_-]{1,43})--[A-Za-z0-9]{16}$/;
const KEY = 'sophie.me';

// A name as it is shown and kept: one line, nothing invisible.
export const tidy = (name) =>
  name
    .replace(/\p{C}/gu, '')
    .replace(/\s+/g, ' ')
    .trim();

function spelled(name) {
  const byte = (value) => {
    const char = String.fromCharCode(value);
    if (char === ' ') return '-';
    return /[A-Za-z0-9]/.test(char) ? char : `_${value.toString(16).padStart(2, '0')}`;
  };
  return [...new TextEncoder().encode(name)].map(byte).join('');
}

const base64 = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');

function encode(name) {
  const plain = `as-${spelled(name)}`;
  if (plain.length <= ROOM + 3) return plain;
  const short = `ab-${base64(new TextEncoder().encode(name))}`;
  return short.length <= ROOM + 3 ? short : null;
}

function decode(form, text) {
  const bytes =
    form === 'ab'
      ? Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0))
      : Uint8Array.from(text.replaceAll('-', ' ').matchAll(/_([0-9a-f]{2})|[^_]/g), ([char, hex]) =>
          hex ? Number.parseInt(hex, 16) : char.charCodeAt(0),
        );
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}

// The name that a session bears, or ''.
export function nameIn(session) {
  const [, form, text] = session.match(NAMED) ?? [];
  if (!form) return '';
  try {
    return tidy(decode(form, text)).slice(0, LONGEST);
  } catch {
    return '';
  }
}

function random(length) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  let text = '';
  // Bytes beyond the last whole alphabet are left out, so that each letter is as likely as the others.
  while (text.length < length)
    for (const byte of crypto.getRandomValues(new Uint8Array(length))) if (byte < 248 && text.length < length) text += alphabet[byte % 62];
  return text;
}

// A new session for somebody of that name; null if the name is too long. Without a name it is nobody's in particular.
export function sessionFor(name) {
  if (!name) return random(22);
  const encoded = [...name].length <= LONGEST ? encode(name) : null;
  return encoded && `${encoded}--${random(16)}`;
}

// Who somebody with this browser is in groups: {session, name}, or null. Another key is another session: members of a group learn the name of a
// session, so none that is known there may have a chat of its own.
export function me(key = KEY) {
  const { session, name } = kept(key) ?? {};
  return typeof session === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(session) ? { session, name: String(name ?? '') } : null;
}

export const becomes = (session, name, key = KEY) => keep(key, { session, name });
