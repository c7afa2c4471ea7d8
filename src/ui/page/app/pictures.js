// The images of a message, as the log shows them.

import { h } from './dom.js';
import { t } from './texts.js';

// What is said where an image is sent without a text, which the protocol wants: it is not shown beside the image.
export const ALONE = '[image]';

const SHOWABLE = /^data:image\/(png|jpeg|webp|gif);base64,/;

export function pictures(images = []) {
  const shown = images.filter(({ url }) => SHOWABLE.test(url));
  if (!shown.length) return null;
  const picture = ({ url, name }) => h('img', { src: url, alt: name || t('images.unnamed'), title: name ?? null, loading: 'lazy' });
  return h('div', { class: 'pictures' }, ...shown.map(picture));
}

// The text of a message, but for that which stands for its images alone.
export const words = ({ text, images }) => (images?.length && text === ALONE ? '' : text);
