// Why something failed, in the reader's language. The server's own sentence knows more, but is in English.

import { language, t } from './texts.js';

const KNOWN = new Set(
  'ai_unavailable ai_timeout ai_rejected interrupted internal not_allowed not_found not_member rate_limited busy store_unavailable bad_request disconnected too_large unconfirmed'.split(' '),
);

// Why a connection ended or was refused: by the code of its close, or the status of the refusal.
const ENDINGS = {
  401: 'close.token',
  403: 'close.not_allowed',
  429: 'close.too_many',
  503: 'close.busy',
  1000: 'close.ended',
  1002: 'close.client',
  1003: 'close.client',
  1007: 'close.client',
  1008: 'close.client',
  1009: 'close.too_large',
  4500: 'close.token',
  4501: 'close.not_allowed',
  4502: 'close.operator',
  4503: 'close.flooding',
  4504: 'close.failing',
};

export function ending(code, text) {
  if (text && language === 'en') return text;
  return ENDINGS[code] ? t(ENDINGS[code]) : text;
}

export function reason(code, text) {
  if (text && language === 'en') return text;
  return KNOWN.has(code) ? t(`error.${code}`) : text || t('answer.failed');
}
