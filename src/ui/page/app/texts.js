// The page's words in the reader's language.

import { config } from './config.js';
import { embed } from './embed.js';
import en from './texts/en.js';
import pt from './texts/pt.js';

const TABLES = { en, pt };
const TAGS = { en: 'en', pt: 'pt-BR' };

function choose() {
  if (Object.hasOwn(TABLES, embed?.language ?? '')) return embed.language;
  if (TABLES[config.language]) return config.language;
  for (const wanted of navigator.languages ?? []) {
    const [base] = wanted.toLowerCase().split('-');
    if (TABLES[base]) return base;
  }
  return 'en';
}

const chosen = choose();
const table = TABLES[chosen];
const plural = new Intl.PluralRules(TAGS[chosen]);

// How numbers and times are written: as the language has it.
export const language = TAGS[chosen];

// A text by its key. `n` chooses between one and more, where the text knows both.
export function t(key, values = {}) {
  const entry = table[key];
  const text = Array.isArray(entry) ? entry[plural.select(values.n ?? 0) === 'one' ? 0 : 1] : entry;
  return text.replace(/\{(\w+)\}/g, (_, name) => (typeof values[name] === 'number' ? values[name].toLocaleString(language) : values[name]));
}

// Fills in what the page's HTML leaves to be said: `data-t` is the text, `data-t-NAME` an attribute.
const ATTRIBUTES = ['aria-label', 'title', 'placeholder', 'content'];

export function fillIn(values) {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll('[data-t]')) element.textContent = t(element.dataset.t, values);
  for (const attribute of ATTRIBUTES)
    for (const element of document.querySelectorAll(`[data-t-${attribute}]`))
      element.setAttribute(attribute, t(element.getAttribute(`data-t-${attribute}`), values));
}
