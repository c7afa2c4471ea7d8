// Small pieces that several parts are made of.

import { h } from './dom.js';

export const link = (part, name, words = name) => h('a', { href: `#${part}/${encodeURIComponent(name)}` }, words);
export const state = (kind, text) => h('span', { class: `state ${kind}` }, text);
export const tile = (name, value) => h('div', { class: 'tile' }, h('dt', {}, name), h('dd', {}, value));
export const head = (title, ...more) => h('div', { class: 'head' }, h('h2', {}, title), more);

// A part that is one list, with what stands above it.
export const part = (title, list, ...above) => ({ title, element: h('div', {}, head(title), above, list.element), refresh: list.refresh });

// A button of a row. Its key lets the focus stay on it when the row is drawn anew.
export const act = (key, kind, words, act) => h('button', { class: kind, type: 'button', 'data-key': key, onclick: act }, words);
