// The colours of code. The library is large, so it is fetched with the first block that names a language it may know.

import '../vendor/purify.min.js';

// A longer block stays plain: it is read elsewhere, and colouring it again at each word would cost more than it is worth.
const MOST_CHARS = 20_000;
const RULES = { ALLOWED_TAGS: ['span'], ALLOWED_ATTR: ['class'], RETURN_DOM_FRAGMENT: true };

let library = null;
let loading = null;

const load = () =>
  (loading ??= import('../vendor/highlight.min.js').then(
    ({ default: hljs }) => {
      library = hljs;
    },
    () => {
      // Another block tries again.
      loading = null;
    },
  ));

// Colours a `code` element whose text is `text`, now or once the library is here.
export function color(code, text, language) {
  code.textContent = text;
  if (!language || text.length > MOST_CHARS) return;
  if (library) paint(code, text, language);
  else load().then(() => library && code.textContent === text && paint(code, text, language));
}

function paint(code, text, language) {
  if (!library.getLanguage(language)) return;
  const { value } = library.highlight(text, { language, ignoreIllegals: true });
  // Classes alone get through, and only those that colours are for.
  const fragment = globalThis.DOMPurify.sanitize(value, RULES);
  // What was made safe must still be what was written.
  if (fragment.textContent === text) code.replaceChildren(fragment);
}
