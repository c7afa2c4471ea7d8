// The panel of groups: join, switch, leave, and who is there. A column on wide screens, a drawer on narrow ones.

import { find, h, icon } from './dom.js';
import { nameIn } from './guest.js';
import { person } from './people.js';
import { GROUP } from './place.js';
import { reason } from './reason.js';
import { t } from './texts.js';

export class Panel {
  #shown = '';

  // `acts`: {select(group), leave(group), join(name) -> promise that it is joined and shown, rename()}
  constructor(acts) {
    this.acts = acts;
    this.root = find('#panel');
    this.toggle = find('#panel-toggle');
    this.backdrop = find('#backdrop');
    this.problem = find('#join-problem');
    this.wide = matchMedia('(min-width: 60rem)');
    this.toggle.addEventListener('click', () => this.open(this.root.dataset.open !== 'true'));
    find('#panel-close').addEventListener('click', () => this.open(false));
    this.backdrop.addEventListener('click', () => this.open(false));
    this.wide.addEventListener('change', () => this.#arrange());
    find('#rename').addEventListener('click', () => this.acts.rename());
    find('#join').addEventListener('submit', (event) => this.#join(event));
    this.#arrange();
  }

  get covering() {
    return !this.wide.matches && this.root.dataset.open === 'true';
  }

  open(open) {
    const had = this.root.contains(document.activeElement);
    this.root.dataset.open = String(open);
    this.#arrange();
    if (this.covering) find('#panel-close').focus();
    else if (had && !this.wide.matches) this.toggle.focus();
  }

  show({ groups, current, home, members, user, guest }) {
    const next = JSON.stringify([groups.map(({ group, unread, stays }) => [group, unread, stays]), current, members]);
    if (next === this.#shown) return;
    this.#shown = next;
    const focused = document.activeElement?.closest?.('#groups button')?.dataset;
    find('#groups').replaceChildren(...groups.map((row) => this.#group(row, current, home)));
    if (focused) {
      const again = [...this.root.querySelectorAll('#groups button')].find(
        ({ dataset }) => dataset.group === focused.group && dataset.act === focused.act,
      );
      (again ?? find('#groups button'))?.focus();
    }
    find('#members').replaceChildren(
      ...members.map((member) => h('li', {}, h('span', { class: 'presence', 'aria-hidden': 'true' }), h('span', {}, name(member.user, user)))),
    );
    find('#members-title').textContent = members.length ? t('members.title.n', { n: members.length }) : t('members.title');
    find('#rename').hidden = !guest || current === home;
  }

  #group({ group, name, unread, stays }, current, home) {
    const badge = unread ? h('span', { class: 'badge', 'aria-label': t('groups.new', { n: unread }) }, unread > 99 ? '99+' : String(unread)) : null;
    const choose = h(
      'button',
      {
        type: 'button',
        class: 'group',
        'data-group': group,
        'data-act': 'select',
        'aria-current': group === current ? 'true' : null,
        onclick: () => this.#select(group),
      },
      icon(group === home ? 'chat' : 'group'),
      h('span', { class: 'name', title: name }, name),
      badge,
    );
    const leave =
      stays
        ? null
        : h(
            'button',
            {
              type: 'button',
              class: 'icon-button small',
              'data-group': group,
              'data-act': 'leave',
              'aria-label': t('groups.leave', { name }),
              title: t('groups.leave', { name }),
              onclick: () => this.acts.leave(group),
            },
            icon('close'),
          );
    return h('li', {}, choose, leave);
  }

  #select(group) {
    this.acts.select(group);
    if (!this.wide.matches) this.open(false);
  }

  async #join(event) {
    event.preventDefault();
    const input = find('#join-name');
    const name = input.value.trim();
    this.problem.textContent = '';
    if (!GROUP.test(name)) {
      this.problem.textContent = t('groups.name.wrong');
      return;
    }
    try {
      await this.acts.join(name);
      input.value = '';
      if (!this.wide.matches) this.open(false);
    } catch (refused) {
      this.problem.textContent = reason(refused.code, refused.message);
    }
  }

  // What is out of sight must be out of reach too, and a drawer keeps the focus to itself.
  #arrange() {
    const open = this.wide.matches || this.root.dataset.open === 'true';
    this.root.inert = !open;
    this.backdrop.hidden = !this.covering;
    find('#stage').inert = this.covering;
    this.toggle.setAttribute('aria-expanded', String(open));
  }
}

// One's own name, too: it is what the others see.
function name(user, own) {
  if (user !== own) return person(user);
  const given = person(user);
  return user.startsWith('guest:') && !nameIn(user.slice(6)) ? t('person.you') : t('person.you.named', { name: given });
}
