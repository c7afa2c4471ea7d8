// The button that copies the link: of a group, which others join under names of their own, or of one's own chat.

import { copy } from './copy.js';
import { announce, find } from './dom.js';
import { addressOf, linkTo } from './place.js';
import { t } from './texts.js';

const button = find('#share');
const label = find('#share-label');
let group = '';
let session = '';

button.addEventListener('click', async () => {
  const done = await copy(group ? linkTo(group) : addressOf(session));
  label.textContent = t(done ? 'share.copied' : 'share.failed');
  announce(t(done ? (group ? 'share.group' : 'share.home') : 'share.failed'));
  setTimeout(() => {
    label.textContent = t('bar.share');
  }, 2_000);
});

export const share = {
  show(shownGroup, shownSession) {
    [group, session] = [shownGroup, shownSession];
    button.title = t(group ? 'bar.share.group' : 'bar.share.home');
  },
};
