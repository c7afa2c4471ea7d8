// What stands behind the node: the AI backends, and Redis.

import { h } from './dom.js';
import { head, state } from './pieces.js';
import { fill } from './table.js';
import { milliseconds, moment, money, number, size, t } from './words.js';

const STATES = { closed: 'good', open: 'bad', half_open: '' };

// Half of them within the first, 99 % within the second.
const within = ({ p50, p99 }) => (p50 === null ? null : `${milliseconds(p50)} / ${milliseconds(p99)}`);

function how(row) {
  const shown = state(STATES[row.state] ?? '', t(row.state));
  if (!row.retry_in_ms) return shown;
  return [shown, ` ${t('tried_in', { time: milliseconds(row.retry_in_ms) })}`];
}

export function backends({ api }) {
  const place = h('div', {}, h('p', { class: 'note' }, t('loading')));
  const spent = h('div', {});
  let currency = '';
  const columns = [
    { title: t('name'), kind: 'name', of: (row) => row.name },
    { title: t('state'), of: how },
    { title: t('last_error'), kind: 'words', of: (row) => row.last_error && `${moment(row.last_error.at)}: ${row.last_error.detail}` },
    { title: t('requests'), kind: 'number', of: (row) => number(row.requests) },
    { title: t('failures'), kind: 'number', of: (row) => number(row.failures) },
    { title: t('first_piece_within'), kind: 'number', of: (row) => within(row.first_piece_ms) },
    { title: t('prompt'), kind: 'number', of: (row) => number(row.prompt_tokens) },
    { title: t('completion'), kind: 'number', of: (row) => number(row.completion_tokens) },
    { title: t('cost'), kind: 'number', of: (row) => money(row.cost, currency) },
    { title: t('model'), kind: 'name', of: (row) => row.models.join(', ') },
    { title: t('url'), kind: 'name', of: (row) => row.url },
  ];
  const refresh = async () => {
    const [told, usage] = await Promise.all([api.get('backends'), api.get('usage?by=model')]);
    currency = usage.currency;
    const costs = [
      { title: t('model'), kind: 'name', of: (row) => row.name ?? t('all') },
      { title: t('answers'), kind: 'number', of: (row) => number(row.answers) },
      { title: t('prompt'), kind: 'number', of: (row) => number(row.prompt_tokens) },
      { title: t('completion'), kind: 'number', of: (row) => number(row.completion_tokens) },
      { title: t('tokens_saved'), kind: 'number', of: (row) => number(row.saved_tokens) },
      { title: t('cost'), kind: 'number', of: (row) => money(row.cost, usage.currency) },
      { title: t('cost_saved'), kind: 'number', of: (row) => money(row.saved, usage.currency) },
    ];
    fill(place, columns, told.backends, t('no_backends'));
    fill(spent, costs, usage.rows.length > 1 ? [...usage.rows, usage.total] : usage.rows, t('no_usage'));
  };
  return { title: t('backends'), element: h('div', {}, head(t('backends')), h('p', { class: 'note' }, t('backends_note')), place, h('h3', {}, t('usage_today')), spent), refresh };
}

export function redis({ api }) {
  const warnings = h('div', {});
  const place = h('div', {}, h('p', { class: 'note' }, t('loading')));
  const columns = [
    { title: t('database'), of: (row) => row.name },
    { title: t('reachable'), of: (row) => (row.reachable ? state('good', t('yes')) : [state('bad', t('no')), ` ${row.reason ?? ''}`]) },
    { title: `${t('latency')} p50`, kind: 'number', of: (row) => milliseconds(row.latency_ms.p50) },
    { title: `${t('latency')} p99`, kind: 'number', of: (row) => milliseconds(row.latency_ms.p99) },
    { title: t('memory'), kind: 'number', of: (row) => (row.maxmemory_bytes ? t('of', { part: size(row.memory_bytes), all: size(row.maxmemory_bytes) }) : size(row.memory_bytes)) },
    { title: t('policy'), of: (row) => row.policy },
    { title: t('clients'), kind: 'number', of: (row) => number(row.clients) },
    { title: t('evictions'), kind: 'number', of: (row) => number(row.evictions) },
    { title: t('connections'), kind: 'number', of: (row) => t('of', { part: row.connections.in_use, all: row.connections.cap }) },
  ];
  const refresh = async () => {
    const told = await api.get('redis');
    warnings.replaceChildren(...told.warnings.map((warning) => h('p', { class: 'trouble' }, warning)));
    fill(place, columns, Object.entries(told.databases).map(([name, view]) => ({ name, ...view })), t('no_redis'));
  };
  return { title: t('redis'), element: h('div', {}, head(t('redis')), warnings, place), refresh };
}
