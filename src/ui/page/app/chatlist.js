// The list of this browser's chats in the panel: open, search, remove.

import { confirm } from './dialog.js';
import { announce, find, h, icon } from './dom.js';
import { addressOf } from './place.js';
import { t } from './texts.js';

// A shorter list is read faster than it is searched.
const SEARCH_FROM = 6;

export class ChatList {
  #session = '';

  constructor(chats) {
    this.chats = chats;
    this.search = find('#chat-search');
    this.list = find('#chats');
    this.search.addEventListener('input', () => this.#draw());
    this.search.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || !this.search.value) return;
      event.stopPropagation();
      this.search.value = '';
      this.#draw();
    });
    // Another tab of this browser held a chat.
    addEventListener('storage', () => this.#draw());
  }

  show(session) {
    this.#session = session;
    this.#draw();
  }

  #draw() {
    if (!this.chats.known) return;
    const all = this.chats.all();
    find('#chats-area').hidden = all.length === 0;
    find('#chat-search-area').hidden = all.length < SEARCH_FROM && !this.search.value;
    const found = this.chats.find(this.search.value);
    const focused = document.activeElement?.closest?.('#chats [data-session]')?.dataset;
    this.list.replaceChildren(...found.map((chat) => this.#row(chat)));
    find('#chats-none').textContent = found.length || !all.length ? '' : t('chats.none');
    if (focused) this.#focus(focused);
  }

  #focus({ session, act }) {
    const buttons = [...this.list.querySelectorAll('[data-session]')];
    (buttons.find(({ dataset }) => dataset.session === session && dataset.act === act) ?? buttons[0] ?? find('#join-name')).focus();
  }

  #row({ session, title }) {
    const current = session === this.#session;
    const open = h(
      'a',
      { class: 'group', href: addressOf(session), 'data-session': session, 'data-act': 'open', 'aria-current': current ? 'page' : null, title },
      icon('chat'),
      h('span', { class: 'name' }, title),
    );
    const remove = h(
      'button',
      { type: 'button', class: 'icon-button small', 'data-session': session, 'data-act': 'remove', 'aria-label': t('chats.remove', { title }), title: t('chats.remove.do'), onclick: () => this.#remove(session, title) },
      icon('close'),
    );
    return h('li', {}, open, remove);
  }

  async #remove(session, title) {
    const sure = await confirm({ title: t('chats.remove.ask'), what: t('chats.remove.what', { title }), action: t('chats.remove.do') });
    if (!sure) return;
    this.chats.remove(session);
    this.#draw();
    this.#focus({ session, act: 'remove' });
    announce(t('chats.removed'));
  }
}
