// The first screen: what is going on, what went on, and the cluster as a picture.

import { h } from './dom.js';
import { cluster } from './pictures.js';
import { tile } from './pieces.js';
import { plot } from './plots.js';
import { clock, milliseconds, money, number, t } from './words.js';

const SPANS = ['quarter', 'day'];
let span = 'quarter';

const perMinute = (of) => (point) => (point.seconds > 0 ? (of(point) * 60) / point.seconds : null);
const percent = (value) => `${number(value)} %`;

function rate(point) {
  const all = point.hits + point.coalesced + point.misses;
  return all ? ((point.hits + point.coalesced) * 100) / all : null;
}

// What is drawn: its title, its lines, how a value is written.
const PLOTS = (currency) => [
  ['sockets', [['sockets', (point) => point.sockets], ['sessions', (point) => point.sessions]], number],
  ['answers_per_minute', [['complete', perMinute((point) => point.complete)], ['failed', perMinute((point) => point.failed)], ['cancelled', perMinute((point) => point.cancelled)]], number],
  ['first_piece', [['half', (point) => point.first_piece_ms.p50], ['most', (point) => point.first_piece_ms.p99]], milliseconds],
  ['tokens_per_minute', [['spent', perMinute((point) => point.tokens)], ['saved', perMinute((point) => point.saved_tokens)]], number],
  ['cost_per_hour', [['cost', (point) => (point.seconds > 0 ? (point.cost * 3600) / point.seconds : null)]], (value) => money(value, currency)],
  ['hit_rate', [['saved', rate]], percent],
  ['append', [['half', (point) => point.append_ms.p50], ['most', (point) => point.append_ms.p99]], milliseconds],
  ['redis_calls', [['half', (point) => point.redis_ms.p50], ['most', (point) => point.redis_ms.p99]], milliseconds],
  ['refused', [['times', perMinute((point) => point.refused)]], number],
];

export function overview({ live }) {
  const tiles = h('dl', { class: 'tiles' });
  const picture = h('div', { class: 'card' });
  const plots = h('div', { class: 'plots' });
  const choice = h(
    'div',
    { class: 'choice', role: 'group', 'aria-label': t('span') },
    SPANS.map((name) =>
      h('button', { type: 'button', 'aria-pressed': `${name === span}`, onclick: (event) => choose(name, event.target) }, t(name)),
    ),
  );
  const choose = (name, button) => {
    span = name;
    for (const other of choice.children) other.setAttribute('aria-pressed', `${other === button}`);
    refresh();
  };
  const refresh = () => {
    const points = live[span];
    const nodes = live.nodes;
    const sum = (of) => nodes.reduce((all, node) => all + of(node), 0);
    const last = live.quarter.slice(-30);
    const lately = (of) => last.reduce((all, point) => all + of(point), 0);
    tiles.replaceChildren(
      tile(t('nodes'), number(nodes.length)),
      tile(t('waiting'), h('a', { href: '#waiting' }, number(live.news.waiting))),
      tile(t('sockets'), number(sum((node) => node.sockets))),
      tile(t('sessions'), number(sum((node) => node.sessions))),
      tile(t('answers_per_minute'), number(lately((point) => point.complete))),
      tile(t('failed_answers'), number(lately((point) => point.failed))),
      tile(t('tokens_per_minute'), number(lately((point) => point.tokens))),
    );
    picture.replaceChildren(cluster(nodes, picture.clientWidth));
    const drawn = PLOTS(live.currency).map(([title, lines, format]) =>
      plot({
        title: t(title),
        series: lines.map(([name, of]) => ({ name: t(name), values: points.map(of) })),
        times: points.map((point) => point.at),
        format,
        when: clock,
        nothing: t(points.length ? 'nothing_measured' : `no_points_${span}`),
      }),
    );
    // Whoever reads a value off a plot is not interrupted.
    if (!plots.matches(':hover')) plots.replaceChildren(...drawn);
  };
  return {
    title: t('overview'),
    element: h('div', {}, h('div', { class: 'head' }, h('h2', {}, t('overview')), choice), tiles, h('h3', {}, t('cluster')), picture, plots),
    refresh,
    watch: ({ looks }) => looks,
  };
}
