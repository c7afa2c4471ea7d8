// The cluster and a group as pictures. What they show stands in their label too.

import { s } from './dom.js';
import { t } from './words.js';

const BOX = 190;
const GAP = 24;
// Nodes, or members of one node, that are drawn; the rest is a number.
const DRAWN_NODES = 24;
const DRAWN_MEMBERS = 8;

const short = (text, most = 22) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

// Each node a box with its share of the sockets, all on the store.
export function cluster(nodes) {
  const columns = Math.min(Math.max(nodes.length, 1), 4);
  const drawn = nodes.slice(0, DRAWN_NODES);
  const lines = Math.ceil(drawn.length / columns);
  const width = Math.max(columns * (BOX + GAP) - GAP, 420);
  const height = lines * 110 + 50;
  const most = Math.max(1, ...nodes.map((node) => node.sockets));
  const left = (width - (columns * (BOX + GAP) - GAP)) / 2;
  const load = (node) => t('node_load', node);
  const label = nodes.map((node) => `${node.node}: ${load(node)}${node.draining ? `, ${t('going')}` : ''}`).join('; ');
  const parts = drawn.flatMap((node, at) => {
    const [x, y] = [left + (at % columns) * (BOX + GAP), Math.floor(at / columns) * 110 + 4];
    return [
      s('line', { class: 'link', x1: x + BOX / 2, y1: y + 76, x2: width / 2, y2: height - 26 }),
      s('rect', { class: node.draining ? 'box going' : 'box', x, y, width: BOX, height: 76, rx: 10 }),
      s('text', { x: x + 12, y: y + 24 }, short(node.node)),
      s('text', { class: 'small', x: x + 12, y: y + 42 }, node.draining ? `${load(node)} · ${t('going')}` : load(node)),
      s('rect', { class: 'bar-back', x: x + 12, y: y + 54, width: BOX - 24, height: 8, rx: 4 }),
      s('rect', { class: 'load', x: x + 12, y: y + 54, width: ((BOX - 24) * node.sockets) / most, height: 8, rx: 4 }),
    ];
  });
  const rest = nodes.length - drawn.length;
  return s(
    'svg',
    { class: 'picture', width, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': t('cluster_picture', { nodes: label }) },
    parts,
    s('rect', { class: 'hub', x: width / 2 - 60, y: height - 34, width: 120, height: 28, rx: 14 }),
    s('text', { class: 'on-hub', x: width / 2, y: height - 15, 'text-anchor': 'middle' }, rest ? `${t('store')}, ${t('and_more', { count: rest })}` : t('store')),
  );
}

// The group in the middle, its members by the node at which they are.
export function groupPicture(group, members, running) {
  const byNode = Map.groupBy ? Map.groupBy(members, (member) => member.node) : grouped(members);
  const nodes = [...byNode].slice(0, 6);
  const rows = Math.max(2, ...nodes.map(([, all]) => Math.min(all.length, DRAWN_MEMBERS) + (all.length > DRAWN_MEMBERS ? 1 : 0)));
  const width = Math.max(nodes.length * (BOX + GAP) - GAP, 420);
  const height = rows * 20 + 130;
  const left = (width - (nodes.length * (BOX + GAP) - GAP)) / 2;
  const who = members.map((member) => `${member.user} (${member.node})`).slice(0, 50).join(', ');
  const parts = nodes.flatMap(([node, all], at) => {
    const x = left + at * (BOX + GAP);
    const shown = all.slice(0, DRAWN_MEMBERS);
    const more = all.length - shown.length;
    return [
      s('line', { class: 'link', x1: width / 2, y1: 52, x2: x + BOX / 2, y2: 84 }),
      s('rect', { class: 'box', x, y: 84, width: BOX, height: rows * 20 + 38, rx: 10 }),
      s('text', { class: 'small', x: x + 12, y: 104 }, short(node)),
      shown.map((member, n) => s('text', { x: x + 12, y: 126 + n * 20 }, short(member.user))),
      more > 0 && s('text', { class: 'small', x: x + 12, y: 126 + shown.length * 20 }, t('and_more', { count: more })),
    ];
  });
  return s(
    'svg',
    { class: 'picture', width, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': t('group_picture', { group, who }) },
    parts,
    s('rect', { class: 'hub', x: width / 2 - 130, y: 6, width: 260, height: 46, rx: 23 }),
    s('text', { class: 'on-hub', x: width / 2, y: running ? 26 : 34, 'text-anchor': 'middle' }, short(group, 30)),
    running > 0 && s('text', { class: 'on-hub', x: width / 2, y: 44, 'text-anchor': 'middle' }, t('running', { count: running })),
  );
}

function grouped(members) {
  const byNode = new Map();
  for (const member of members) byNode.set(member.node, [...(byNode.get(member.node) ?? []), member]);
  return byNode;
}
