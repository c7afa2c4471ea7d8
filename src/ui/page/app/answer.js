// One answer as this page shows it. The library puts it together. No DOM.

import { Answer as Growing } from '../../client.mjs';

export class Answer extends Growing {
  constructor(told) {
    super(told);
    Object.assign(this, { answer: told.answer, model: told.model ?? '', cache: told.cache ?? '' });
  }

  get code() {
    return this.error?.code ?? '';
  }

  get reason() {
    return this.error?.message ?? '';
  }

  end(event) {
    this.finish({ ...event, type: 'answer.end' });
  }

  fail(event) {
    this.finish({ code: 'interrupted', ...event, type: 'answer.error' });
  }
}
