// Markdown to nodes, sanitised always. Text is parsed as a whole, but only the blocks that changed are made anew, so
// that a growing answer neither flickers nor loses a selection.

import { Marked } from '../vendor/marked.esm.js';
import '../vendor/purify.min.js';
import { copyable } from './copy.js';
import { h } from './dom.js';
import { color } from './highlight.js';
import { formulas, typeset } from './math.js';
import { t } from './texts.js';

const escape = (text) => text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    // HTML in an answer is shown as what was written.
    html: ({ text, block }) => (block ? `<p>${escape(text.trim()).replaceAll('\n', '<br>')}</p>` : escape(text)),
    // A picture from elsewhere would tell its host who reads what: it becomes a link.
    image: ({ href, text }) => `<a href="${escape(href)}">${escape(text || t('image'))}</a>`,
    code: ({ text, lang }) => {
      const language = (lang ?? '').match(/^[\w+#.-]*/)[0];
      return `<pre><code class="language-${language}">${escape(text)}</code></pre>`;
    },
    listitem(item) {
      const text = this.parser.parse(item.tokens, Boolean(item.loose));
      return item.task ? `<li class="task">${text}</li>` : `<li>${text}</li>`;
    },
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
  },
});

// A formula shows its source until it is set.
marked.use({ extensions: formulas((source, display) => `<code class="${display ? 'math block' : 'math'}">${escape(source)}</code>`) });

const RULES = {
  ALLOWED_TAGS: 'a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre strong table tbody td th thead tr ul'.split(' '),
  ALLOWED_ATTR: ['href', 'title', 'class', 'start', 'align'],
  // No addresses: what is asked of those would refuse them.
  ADD_URI_SAFE_ATTR: ['align', 'start'],
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:|tel:)/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

// The classes that something is done with; of spans they are those of coloured code.
const CLASSES = { code: /^(?:language-[\w+#.-]*|math|math block)$/, li: /^task$/, span: /^hljs-[\w-]+(?: [\w-]+_)*$/ };

const purify = globalThis.DOMPurify;
purify.addHook('afterSanitizeAttributes', (node) => {
  if (node.localName === 'a' && node.hasAttribute('href')) {
    node.setAttribute('target', '_blank');
    node.setAttribute('rel', 'noopener noreferrer');
  }
  if (!CLASSES[node.localName]?.test(node.className)) node.removeAttribute('class');
});

// An answer that grows ends anywhere. What its last line opened is closed for the time being, so that a reader sees bold
// text coming and not asterisks that vanish.
export function closeOpen(text) {
  const line = text.slice(text.lastIndexOf('\n') + 1);
  const fences = text.match(/^ {0,3}(?:```|~~~)/gm)?.length ?? 0;
  if (fences % 2 === 1 || /^ *[`~]{2}/.test(line)) return text;
  const pairs = (part, mark) => part.split(mark).length - 1;
  if (pairs(line, '`') % 2 === 1) return line.endsWith('`') ? text.slice(0, -1) : `${text}\``;
  if (pairs(line.replace(/`[^`]*`/g, ''), '**') % 2 === 0) return text;
  return line.endsWith('**') ? text.slice(0, -2) : `${text.trimEnd()}**`;
}

export class Rendering {
  #blocks = [];

  constructor(element) {
    this.element = element;
  }

  show(text) {
    const tokens = marked.lexer(text);
    // A link's address may stand further down than the link: then the blocks before it change too.
    const links = Object.keys(tokens.links ?? {}).length;
    const wanted = tokens.filter(({ type }) => type !== 'space' && type !== 'def');
    let same = 0;
    while (
      same < wanted.length &&
      same < this.#blocks.length &&
      this.#blocks[same].raw === wanted[same].raw &&
      this.#blocks[same].links === links
    )
      same += 1;
    const stale = this.#blocks.splice(same);
    const fresh = wanted.slice(same);
    if (stale.length === 1 && fresh.length >= 1 && grow(stale[0], fresh[0])) {
      this.#blocks.push({ ...stale.pop(), raw: fresh.shift().raw, links });
    }
    for (const { nodes } of stale) for (const node of nodes) node.remove();
    for (const token of fresh) {
      const nodes = [...render(token).childNodes];
      this.element.append(...nodes);
      this.#blocks.push({ raw: token.raw, links, nodes, type: token.type, lang: token.lang });
    }
  }
}

// A code block that gets longer keeps its element, and with it the place it was scrolled to and its button's focus.
function grow(block, token) {
  if (block.type !== 'code' || token.type !== 'code' || block.lang !== token.lang) return false;
  const code = block.nodes[0]?.querySelector?.('code');
  if (!code) return false;
  color(code, token.text, languageOf(code));
  return true;
}

const languageOf = (code) => code?.className.replace('language-', '') ?? '';

function render(token) {
  const fragment = purify.sanitize(marked.parser([token]), RULES);
  for (const formula of [...fragment.querySelectorAll('code.math')]) {
    const frame = h(formula.className === 'math' ? 'span' : 'div', { class: 'formula' });
    formula.replaceWith(frame);
    frame.append(formula);
    typeset(frame, formula.textContent, frame.localName === 'div');
  }
  for (const pre of [...fragment.querySelectorAll('pre')]) {
    const code = pre.querySelector('code');
    const language = languageOf(code);
    if (code) color(code, code.textContent, language);
    pre.tabIndex = 0;
    const frame = h('div', { class: 'code' });
    pre.replaceWith(frame);
    frame.append(
      h(
        'div',
        { class: 'code-head' },
        h('span', {}, language || t('code.text')),
        copyable(t('copy.code'), () => pre.textContent),
      ),
      pre,
    );
  }
  for (const table of [...fragment.querySelectorAll('table')]) {
    const frame = h('div', { class: 'table', tabindex: '0', role: 'group', 'aria-label': t('table') });
    table.replaceWith(frame);
    frame.append(table);
  }
  return fragment;
}
