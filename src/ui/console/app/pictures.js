// The cluster and a group as pictures. What they show stands in their label too.

import { s } from './dom.js';
import { t } from './words.js';

const BOX = 190;
const GAP = 24;
// Room for the picture of a window as narrow as those of small phones.
const NARROWEST = 260;
// Nodes, or members of one node, that are drawn; the rest is a number.
const DRAWN_NODES = 24;
const DRAWN_MEMBERS = 8;

const short = (text, most = 22) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

// So many boxes in lines that are no wider than the room: where each stands, and how wide all of them are.
function places(boxes, room, most) {
  const columns = Math.max(1, Math.min(boxes, most, Math.floor((room + GAP) / (BOX + GAP))));
  const row = columns * (BOX + GAP) - GAP;
  const width = Math.max(row, NARROWEST);
  const at = (box) => [(width - row) / 2 + (box % columns) * (BOX + GAP), Math.floor(box / columns)];
  return { at, width, lines: Math.ceil(boxes / columns) };
}

const sockets = (node) => t('sockets_count', { count: node.sockets });
const sessions = (node) => t('sessions_count', { count: node.sessions });

// Each node a box with its share of the sockets, all on the store.
export function cluster(nodes, room) {
  const drawn = nodes.slice(0, DRAWN_NODES);
  const { at, width, lines } = places(drawn.length, room, 4);
  const height = lines * 122 + 50;
  const most = Math.max(1, ...nodes.map((node) => node.sockets));
  const label = nodes.map((node) => `${node.node}: ${sockets(node)}, ${sessions(node)}${node.draining ? `, ${t('going')}` : ''}`).join('; ');
  // Lines come first: the boxes of other rows lie on them.
  const links = drawn.map((_, n) => {
    const [x, line] = at(n);
    return s('line', { class: 'link', x1: x + BOX / 2, y1: line * 122 + 94, x2: width / 2, y2: height - 26 });
  });
  const parts = drawn.flatMap((node, n) => {
    const [x, line] = at(n);
    const y = line * 122 + 4;
    return [
      s('rect', { class: node.draining ? 'box going' : 'box', x, y, width: BOX, height: 90, rx: 10 }),
      s('text', { x: x + 12, y: y + 23 }, short(node.node)),
      s('text', { class: 'small', x: x + 12, y: y + 41 }, node.draining ? `${sockets(node)} · ${t('going')}` : sockets(node)),
      s('text', { class: 'small', x: x + 12, y: y + 57 }, sessions(node)),
      s('rect', { class: 'bar-back', x: x + 12, y: y + 69, width: BOX - 24, height: 8, rx: 4 }),
      s('rect', { class: 'load', x: x + 12, y: y + 69, width: ((BOX - 24) * node.sockets) / most, height: 8, rx: 4 }),
    ];
  });
  const rest = nodes.length - drawn.length;
  return s(
    'svg',
    { class: 'picture', width, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': t('cluster_picture', { nodes: label }) },
    links,
    parts,
    s('rect', { class: 'hub', x: width / 2 - 60, y: height - 34, width: 120, height: 28, rx: 14 }),
    s('text', { class: 'on-hub', x: width / 2, y: height - 15, 'text-anchor': 'middle' }, t('store')),
    rest > 0 && s('text', { class: 'small', x: width, y: height - 15, 'text-anchor': 'end' }, t('and_more', { count: rest })),
  );
}

// The group above, its members by the node at which they are.
export function groupPicture(group, members, running, room) {
  const byNode = new Map();
  for (const member of members) {
    if (!byNode.has(member.node)) byNode.set(member.node, []);
    byNode.get(member.node).push(member);
  }
  const nodes = [...byNode].slice(0, DRAWN_NODES);
  const rows = Math.max(1, ...nodes.map(([, all]) => Math.min(all.length, DRAWN_MEMBERS) + (all.length > DRAWN_MEMBERS ? 1 : 0)));
  const { at, width, lines } = places(nodes.length, room, 3);
  const box = rows * 20 + 34;
  const height = nodes.length ? 84 + lines * (box + 20) : 58;
  const who = members.map((member) => `${member.user} (${member.node})`).slice(0, 50).join(', ');
  const links = nodes.map((_, n) => {
    const [x, line] = at(n);
    return s('line', { class: 'link', x1: width / 2, y1: 52, x2: x + BOX / 2, y2: 84 + line * (box + 20) });
  });
  const parts = nodes.flatMap(([node, all], n) => {
    const [x, line] = at(n);
    const y = 84 + line * (box + 20);
    const shown = all.slice(0, DRAWN_MEMBERS);
    const more = all.length - shown.length;
    return [
      s('rect', { class: 'box', x, y, width: BOX, height: box, rx: 10 }),
      s('text', { class: 'small', x: x + 12, y: y + 20 }, short(node, 28)),
      shown.map((member, n) => s('text', { x: x + 12, y: y + 41 + n * 20 }, short(member.user))),
      more > 0 && s('text', { class: 'small', x: x + 12, y: y + 41 + shown.length * 20 }, t('and_more', { count: more })),
    ];
  });
  const hub = Math.min(width, NARROWEST);
  return s(
    'svg',
    { class: 'picture', width, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': t('group_picture', { group, who: who || t('nobody') }) },
    links,
    parts,
    s('rect', { class: 'hub', x: (width - hub) / 2, y: 6, width: hub, height: 46, rx: 23 }),
    s('text', { class: 'on-hub', x: width / 2, y: running ? 26 : 34, 'text-anchor': 'middle' }, short(group, 30)),
    running > 0 && s('text', { class: 'on-hub', x: width / 2, y: 44, 'text-anchor': 'middle' }, t('running', { count: running })),
  );
}
