// The button that shares what is shown. A group's link is copied: others join by it under names of their own. The link of a guest's own chat is a key
// to it, so it is given only to who says that it is for themselves; others are asked into a group. An account's chat opens for that account alone.

import { config } from './config.js';
import { copy } from './copy.js';
import { ask } from './dialog.js';
import { announce, find, h } from './dom.js';
import { randomName } from './names.js';
import { addressOf, linkTo } from './place.js';
import { t } from './texts.js';

const button = find('#share');
const label = find('#share-label');
let group = '';
let session = '';

button.addEventListener('click', async () => {
  if (group || config.sign_in !== 'none') {
    await give(group ? linkTo(group) : addressOf(session), group ? 'share.group' : 'share.home');
    return;
  }
  const choice = await ask({
    title: t('share.ask'),
    content: [h('p', {}, t('share.ask.what'))],
    actions: [
      { value: 'cancel', label: t('dialog.cancel') },
      { value: 'own', label: t('share.own') },
      { value: 'group', label: t('share.start'), kind: 'main' },
    ],
  });
  if (choice === 'own') await give(addressOf(session), 'share.home');
  if (choice !== 'group') return;
  // Not with the session of this chat: the others would see its name, and could open it.
  const link = linkTo(`group-${randomName(12)}`);
  await give(link, 'share.group');
  location.assign(link);
});

async function give(link, said) {
  const done = await copy(link);
  label.textContent = t(done ? 'share.copied' : 'share.failed');
  announce(t(done ? said : 'share.failed'));
  setTimeout(() => {
    label.textContent = t('bar.share');
  }, 2_000);
}

export const share = {
  show(shownGroup, shownSession) {
    [group, session] = [shownGroup, shownSession];
    button.title = t(group ? 'bar.share.group' : 'bar.share.home');
  },
};
