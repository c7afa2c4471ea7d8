// What stands below an answer: how it ended, what can be done with it, and how it came about.

import { config } from './config.js';
import { copyable } from './copy.js';
import { h, icon } from './dom.js';
import { thumbs } from './rating.js';
import { reason } from './reason.js';
import { language, t } from './texts.js';

export function answerFoot(row, acts, problem) {
  if (row.state === 'running') return [];
  const failed = row.state === 'failed';
  const why = ending(row);
  const retry = row.message
    ? h(
        'button',
        { type: 'button', class: 'quiet', 'data-act': 'retry', title: t('answer.retry.title'), onclick: () => acts.retryAnswer(row) },
        icon('retry'),
        h('span', {}, t('answer.retry')),
      )
    : null;
  const parts = [
    why ? h('span', { class: failed ? 'problem' : 'state' }, failed ? icon('alert') : null, h('span', {}, why)) : null,
    row.text ? copyable(t('answer.copy'), () => row.text) : null,
    retry,
    ...(config.feedback && row.text && !failed ? thumbs(row.answer, acts.rate) : []),
    problem ? h('span', { class: 'problem', role: 'alert' }, problem) : null,
    facts(row),
  ];
  return parts.filter(Boolean);
}

function ending({ state, code, reason: why, finishReason }) {
  if (state === 'failed') return reason(code, why);
  if (finishReason === 'steered') return t('answer.steered');
  if (state === 'cancelled') return t('answer.cancelled');
  return finishReason === 'length' ? t('answer.length') : '';
}

const CACHE = { hit: 'facts.hit', coalesced: 'facts.coalesced' };

// Model, cache, tokens, times: what is known of them.
// The first words are timed here and the whole by the server: a page that was busy for a moment tells no more for a part than for the whole.
function facts({ model, cache, usage, latencyMs, firstAfterMs }) {
  const parts = [
    model,
    CACHE[cache] ? t(CACHE[cache]) : '',
    usage?.total_tokens ? t('facts.tokens', { n: usage.total_tokens }) : '',
    firstAfterMs !== undefined && cache !== 'hit' ? t('facts.first', { time: seconds(Math.min(firstAfterMs, latencyMs ?? firstAfterMs)) }) : '',
    latencyMs === undefined ? '' : t('facts.whole', { time: seconds(latencyMs) }),
  ].filter(Boolean);
  if (!parts.length) return null;
  return h('span', { class: 'facts', 'data-model': model, 'data-cache': cache }, h('span', { class: 'visually-hidden' }, `${t('facts.label')}: `), parts.join(' · '));
}

function seconds(ms) {
  const digits = ms < 1_000 ? 2 : ms < 10_000 ? 1 : 0;
  return t('facts.seconds', { n: (ms / 1_000).toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }) });
}
