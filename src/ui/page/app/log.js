// The scrolling log: keeps its elements in step with the rows, and the reader at the place they chose.

import { find } from './dom.js';
import { makeRow } from './rows.js';

const NEAR_PX = 64;

export class Log {
  #rows = new Map();
  #atBottom = true;
  #group = '';

  // `onTop` is called when older rows are wanted.
  constructor(acts, onTop) {
    this.acts = acts;
    this.scroller = find('#scroller');
    this.list = find('#log');
    this.jump = find('#jump');
    this.onTop = onTop;
    this.scroller.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    this.jump.addEventListener('click', () => this.toBottom(true));
    // Pictures, fonts, a keyboard on a phone: whatever changes the height, who was at the end stays there.
    new ResizeObserver(() => this.#atBottom && this.#settle()).observe(this.scroller);
  }

  show(rows, context) {
    if (this.#group !== context.conversation.group) {
      this.#group = context.conversation.group;
      this.#rows.clear();
      this.list.replaceChildren();
      this.#atBottom = true;
    }
    const anchor = this.#anchor();
    const wanted = new Set(rows.map(({ key }) => key));
    for (const [key, { element }] of this.#rows) {
      if (wanted.has(key)) continue;
      // Somebody who used the keyboard on a row that goes away goes on in the log, not at the top of the page.
      if (element.contains(document.activeElement)) find('#composer').focus({ preventScroll: true });
      element.remove();
      this.#rows.delete(key);
    }
    let cursor = this.list.firstChild;
    let previous = null;
    for (const row of rows) {
      let shown = this.#rows.get(row.key);
      if (!shown) {
        shown = makeRow(row, this.acts, context);
        this.#rows.set(row.key, shown);
      }
      shown.update(row, previous);
      if (shown.element === cursor) cursor = cursor.nextSibling;
      else this.list.insertBefore(shown.element, cursor);
      previous = row.kind === 'note' ? previous : row;
    }
    if (this.#atBottom) this.#settle();
    else if (anchor) this.scroller.scrollTop += anchor.element.getBoundingClientRect().top - anchor.top;
    this.jump.hidden = this.#atBottom;
  }

  toBottom(byHand = false) {
    this.#atBottom = true;
    this.#settle();
    this.jump.hidden = true;
    if (byHand) find('#composer').focus({ preventScroll: true });
  }

  #settle() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    if (this.scroller.scrollHeight <= this.scroller.clientHeight) this.onTop();
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.#atBottom = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    this.jump.hidden = this.#atBottom;
    if (scrollTop < 2 * NEAR_PX) this.onTop();
  }

  // What is being read now, so that rows that come in above it do not push it away.
  #anchor() {
    if (this.#atBottom) return null;
    const top = this.scroller.getBoundingClientRect().top;
    for (const { element } of this.#rows.values()) {
      const box = element.getBoundingClientRect();
      if (box.bottom > top) return { element, top: box.top };
    }
    return null;
  }
}
