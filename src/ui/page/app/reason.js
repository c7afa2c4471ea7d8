// Why something failed, in the reader's language. The server's own sentence knows more, but is in English.

import { language, t } from './texts.js';

const KNOWN = new Set(
  'ai_unavailable ai_timeout ai_rejected interrupted internal not_allowed not_found not_member rate_limited busy store_unavailable bad_request disconnected too_large unconfirmed'.split(' '),
);

export function reason(code, text) {
  if (text && language === 'en') return text;
  return KNOWN.has(code) ? t(`error.${code}`) : text || t('answer.failed');
}
