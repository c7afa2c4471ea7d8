// Who answers in what is shown: the assistant, or a person who has taken over, or one who was asked for. And asking for one.

import { config } from './config.js';
import { ask } from './dialog.js';
import { announce, find, h } from './dom.js';
import { reason } from './reason.js';
import { t } from './texts.js';

const MOST_CHARS = 2_000;

export class Standing {
  // `chat()`: the one that is open.
  constructor(chat) {
    this.chat = chat;
    this.strip = find('#standing');
    this.button = find('#ask-person');
    this.button.addEventListener('click', () => this.#ask());
  }

  show({ assistant, person }) {
    const words = assistant ? (person === 'asked' ? t('person.asked.strip', { assistant: config.name }) : '') : t('person.taken');
    this.strip.hidden = !words;
    if (this.strip.textContent !== words) this.strip.textContent = words;
    this.button.hidden = !config.person || !assistant || person === 'asked';
  }

  async #ask() {
    const text = h('textarea', { id: 'person-text', class: 'field', rows: '3', maxlength: MOST_CHARS });
    const words = await ask({
      title: t('person.ask'),
      content: [h('p', {}, t('person.ask.what', { assistant: config.name })), h('label', { for: 'person-text' }, t('person.ask.label')), text],
      actions: [
        { value: 'no', label: t('dialog.cancel') },
        { value: 'yes', label: t('person.ask.do'), kind: 'main' },
      ],
      read: (value) => (value === 'yes' ? text.value.trim() : null),
    });
    if (words === null) return;
    const { client, current, shown } = this.chat();
    try {
      await client.request('person.ask', { group: current, ...(words ? { text: words } : {}) });
      shown.person = 'asked';
    } catch (refused) {
      const why = t('person.ask.failed', { why: reason(refused.code, refused.message) });
      shown.note(why);
      announce(why);
    }
    this.chat().on.change();
  }
}

// What the event `assistant` or `person` means, in words; '' if there is nothing to say.
export function standing(event) {
  if (event.type === 'assistant') return event.on ? t('person.back', { assistant: config.name }) : t('person.taken');
  return { asked: t('person.asked'), dismissed: t('person.dismissed') }[event.state] ?? '';
}
