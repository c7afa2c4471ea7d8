// The images of a message, and its text beside them.

import { h } from './dom.js';

const SHOWABLE = /^data:image\/(png|jpeg|webp|gif);base64,/;
// What the chat page says where an image is sent without a text.
const ALONE = '[image]';

export function withImages({ text, images = [] }) {
  const shown = images.filter(({ url }) => SHOWABLE.test(url));
  const words = shown.length && text === ALONE ? '' : text;
  return [shown.length > 0 && h('div', { class: 'images' }, shown.map(({ url, name }) => h('img', { src: url, alt: name || ALONE, loading: 'lazy' }))), words];
}
