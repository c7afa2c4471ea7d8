// What happens in the log, said to who cannot see it.

import { config } from './config.js';
import { announce } from './dom.js';
import { person } from './people.js';
import { reason } from './reason.js';
import { standing } from './standing.js';
import { t } from './texts.js';

export function tell(event, user) {
  const assistant = config.name;
  switch (event.type) {
    case 'answer.start':
      announce(t('said.answering', { assistant }));
      break;
    case 'answer.end':
      announce(event.finish_reason === 'cancelled' ? t('said.stopped') : t('said.answer', { assistant, text: event.text.slice(0, 600) }));
      break;
    case 'answer.error':
      announce(t('said.failed', { why: reason(event.code, event.reason) }));
      break;
    case 'message':
      if (event.message.author !== user) announce(t('said.message', { name: person(event.message.author), text: event.message.text.slice(0, 300) }));
      break;
    case 'assistant':
    case 'person':
      if (standing(event)) announce(standing(event));
      break;
    default:
  }
}
