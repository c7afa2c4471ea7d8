// Formulas, as LaTeX writes them: `$…$` and `\(…\)` in a line, `$$…$$` and `\[…\]` on their own. They become MathML, which
// needs neither fonts nor styles. The library is large, so it is fetched with the first formula.

import '../vendor/purify.min.js';

const MOST_CHARS = 4_000;
const OPTIONS = { output: 'mathml', throwOnError: true, strict: 'ignore', trust: false, maxSize: 20, maxExpand: 500 };
const RULES = { USE_PROFILES: { mathMl: true }, ADD_TAGS: ['semantics', 'annotation'], FORBID_ATTR: ['style', 'href', 'class', 'id'], RETURN_DOM_FRAGMENT: true };

let loading = null;

const load = () =>
  (loading ??= import('../vendor/katex.min.js').then(
    () => globalThis.katex,
    () => {
      loading = null;
      return null;
    },
  ));

// Puts the formula in the place of the element that shows its source; what is no formula stays as it was written.
export async function typeset(element, source, display) {
  if (source.length > MOST_CHARS) return;
  const katex = await load();
  if (!katex) return;
  try {
    const fragment = globalThis.DOMPurify.sanitize(katex.renderToString(source, { ...OPTIONS, displayMode: display }), RULES);
    // The source, which would be read out after the formula.
    for (const note of fragment.querySelectorAll('annotation')) note.remove();
    const math = fragment.querySelector('math');
    if (math) element.replaceChildren(math);
  } catch {
    // An unfinished or wrong formula.
  }
}

// A dollar is mostly money: a formula begins and ends at something written, and no digit follows it.
const INLINE = /^(?:\$\$(?!\$)((?:\\[^]|[^\\$]){1,2000}?)\$\$|\$(?![\s$])((?:\\[^\n]|[^\\$\n]){0,1000}?(?:\\[^\n]|[^\\$\s]))\$(?![\d$])|\\\(((?:(?!\\\))[^]){1,1000}?)\\\))/;
const BLOCK = /^ {0,3}(?:\$\$(?!\$)((?:\\[^]|[^\\$]){1,4000}?)\$\$|\\\[((?:(?!\\\])[^]){1,4000}?)\\\])[ \t]*(?:\n|$)/;

// For the Markdown parser: `shown(source, display)` gives the HTML of its place.
export const formulas = (shown) => [
  {
    name: 'formula',
    level: 'block',
    start: (text) => text.match(/\n {0,3}(?:\$\$|\\\[)/)?.index,
    tokenizer(text) {
      const found = text.match(BLOCK);
      return found ? { type: 'formula', raw: found[0], source: (found[1] ?? found[2]).trim() } : undefined;
    },
    renderer: ({ source }) => `<p>${shown(source, true)}</p>`,
  },
  {
    name: 'inlineFormula',
    level: 'inline',
    start: (text) => text.match(/\$|\\\(/)?.index,
    tokenizer(text) {
      const found = text.match(INLINE);
      if (!found) return undefined;
      return { type: 'inlineFormula', raw: found[0], source: (found[1] ?? found[2] ?? found[3]).trim(), display: found[1] !== undefined };
    },
    renderer: ({ source, display }) => shown(source, display),
  },
];
