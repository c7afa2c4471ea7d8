// Lines over time, as SVG: no library, no foreign host.

import { h, s } from './dom.js';

const WIDTH = 400;
const HEIGHT = 128;
const BOTTOM = 18;

// A number above which nothing is drawn, with one or two digits.
function ceiling(most) {
  if (most <= 0) return 1;
  const unit = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((step) => step * unit).find((step) => step >= most);
}

function path(values, top) {
  const step = WIDTH / Math.max(values.length - 1, 1);
  let pen = false;
  return values
    .map((value, at) => {
      if (value === null || value === undefined) {
        pen = false;
        return '';
      }
      // A value between two that are not known is a dash.
      const dash = !pen && typeof values[at + 1] !== 'number' ? 'h4' : '';
      const point = `${pen ? 'L' : 'M'}${(at * step).toFixed(1)} ${((1 - value / top) * (HEIGHT - BOTTOM)).toFixed(1)}${dash}`;
      pen = true;
      return point;
    })
    .join('');
}

// `series`: `[{ name, values }]`, at most three; `times`: when each value was; `format`: a value as text; `nothing`: said where none is.
export function plot({ title, series, times, format, when, nothing }) {
  const known = series.flatMap((line) => line.values).filter((value) => typeof value === 'number');
  const top = ceiling(Math.max(0, ...known));
  const values = series.map(() => h('b'));
  const legend = h('ul', { class: 'legend' }, series.map((line, at) => h('li', { class: `s${at}` }, `${line.name} `, values[at])));
  const show = (at) =>
    series.forEach((line, n) => {
      const value = line.values[at];
      values[n].textContent = typeof value === 'number' ? format(value) : '–';
    });
  show(times.length - 1);
  const cursor = s('line', { class: 'cursor', y1: 0, y2: HEIGHT - BOTTOM, visibility: 'hidden' });
  const summary = series.map((line, at) => `${line.name} ${values[at].textContent}`).join(', ');
  const drawing = s(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': `${title}: ${summary}` },
    [0, 0.5, 1].map((share) => s('line', { class: 'grid', x1: 0, x2: WIDTH, y1: share * (HEIGHT - BOTTOM), y2: share * (HEIGHT - BOTTOM) })),
    series.map((line, at) => s('path', { class: `s${at}`, d: path(line.values, top) })),
    cursor,
  );
  const axis = h('div', { class: 'legend' }, h('span', {}, known.length ? `0 – ${format(top)}` : nothing), h('span', { class: 'moment' }));
  const place = axis.lastChild;
  const at = (event) => {
    const box = drawing.getBoundingClientRect();
    const n = Math.round(((event.clientX - box.left) / box.width) * (times.length - 1));
    return Math.min(Math.max(n, 0), times.length - 1);
  };
  drawing.addEventListener('pointermove', (event) => {
    if (!times.length) return;
    const n = at(event);
    const x = (n * WIDTH) / Math.max(times.length - 1, 1);
    cursor.setAttribute('x1', x);
    cursor.setAttribute('x2', x);
    cursor.setAttribute('visibility', 'visible');
    place.textContent = when(times[n]);
    show(n);
  });
  drawing.addEventListener('pointerleave', () => {
    cursor.setAttribute('visibility', 'hidden');
    place.textContent = '';
    show(times.length - 1);
  });
  return h('section', { class: 'plot' }, h('h3', {}, title), legend, drawing, axis);
}
