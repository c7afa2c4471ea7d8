// What can be done with the chat as a whole: take it away as a file, rate it.

import { config } from './config.js';
import { announce, find } from './dom.js';
import { asJson, asMarkdown, save, whole } from './export.js';
import { askForRating } from './rating.js';
import { reason } from './reason.js';
import { t } from './texts.js';

const FORMS = { markdown: { extension: 'md', type: 'text/markdown', write: asMarkdown }, json: { extension: 'json', type: 'application/json', write: asJson } };

export class Tools {
  #busy = false;

  // `chat()`: the one that is open.
  constructor(chat) {
    this.chat = chat;
    find('#rate').addEventListener('click', () => this.#rate());
    for (const name of Object.keys(FORMS)) find(`#export-${name}`).addEventListener('click', () => this.#export(FORMS[name]));
  }

  show({ any }) {
    for (const name of ['export-markdown', 'export-json']) find(`#${name}`).hidden = !any;
    find('#rate').hidden = !any || !config.feedback;
    find('#tools').hidden = !any && find('#ask-person').hidden;
  }

  async #rate() {
    const fields = await askForRating();
    if (!fields) return;
    try {
      await this.chat().client.request('feedback', fields);
      this.#say(t('rate.thanks'));
    } catch (refused) {
      this.#say(t('rate.failed', { why: reason(refused.code, refused.message) }));
    }
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
      this.#say(t('tools.export.failed', { why: reason(refused.code, refused.message) }));
    }
    this.#busy = false;
  }

  #say(text) {
    find('#tools-state').textContent = text;
    announce(text);
  }
}
