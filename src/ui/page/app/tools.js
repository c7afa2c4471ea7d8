// What can be done with the chat as a whole: for now, take it away as a file.

import { announce, find } from './dom.js';
import { asJson, asMarkdown, save, whole } from './export.js';
import { t } from './texts.js';

const FORMS = { markdown: { extension: 'md', type: 'text/markdown', write: asMarkdown }, json: { extension: 'json', type: 'application/json', write: asJson } };

export class Tools {
  #busy = false;

  // `chat()`: the one that is open.
  constructor(chat) {
    this.chat = chat;
    for (const name of Object.keys(FORMS)) find(`#export-${name}`).addEventListener('click', () => this.#export(FORMS[name]));
  }

  show(any) {
    find('#tools').hidden = !any;
  }

  async #export({ extension, type, write }) {
    if (this.#busy) return;
    this.#busy = true;
    const { client, current, home } = this.chat();
    this.#say(t('tools.exporting'));
    try {
      const events = await whole(client, current);
      save(write(events, { group: current, home, user: client.user }), `${current}.${extension}`, type);
      this.#say(t('tools.exported'));
    } catch (refused) {
      this.#say(t('tools.export.failed', { why: refused.message }));
    }
    this.#busy = false;
  }

  #say(text) {
    find('#tools-state').textContent = text;
    announce(text);
  }
}
