// What stands in a chat in which nothing was said yet: a greeting, and questions to begin with.

import { find, h } from './dom.js';
import { t } from './texts.js';

export class Empty {
  constructor({ greeting, examples }, onAsk) {
    this.root = find('#empty');
    this.greeting = greeting || t('empty.greeting');
    const own = examples.length === 1 && examples[0] === 'auto';
    const questions = own ? [t('example.1'), t('example.2'), t('example.3')] : examples;
    find('#examples').replaceChildren(...questions.map((text) => h('button', { type: 'button', 'data-example': text, onclick: () => onAsk(text) }, text)));
  }

  // In a group the questions are left out: the others should not wonder who asks.
  show(shown, group) {
    this.root.hidden = !shown;
    find('#greeting').textContent = group ? t('empty.group', { name: group }) : this.greeting;
    find('#empty-about').hidden = Boolean(group);
    find('#examples').hidden = Boolean(group);
  }
}
