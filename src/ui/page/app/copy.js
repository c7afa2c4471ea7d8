// Copying to the clipboard, also where the page was not served over TLS and the clipboard interface is missing.

import { announce, h, icon } from './dom.js';
import { t } from './texts.js';

export async function copy(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Not permitted: the old way may still be.
    }
  }
  const area = h('textarea', { class: 'visually-hidden', readonly: true, 'aria-hidden': 'true' });
  const focused = document.activeElement;
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  focused?.focus({ preventScroll: true });
  return done;
}

// A button that copies what `read` gives, and says that it did.
export function copyable(label, read) {
  const word = h('span', {}, t('copy'));
  const button = h('button', { type: 'button', class: 'quiet copy', 'aria-label': label, title: label }, icon('copy'), word);
  button.addEventListener('click', async () => {
    const done = await copy(read());
    word.textContent = t(done ? 'copy.done' : 'copy.failed');
    announce(t(done ? 'copy.done' : 'copy.failed.said'));
    setTimeout(() => {
      word.textContent = t('copy');
    }, 1_500);
  });
  return button;
}
