// A guest is in groups with another session than in chats of their own: the members of a group learn the names of each other's sessions, and a
// guest's chat opens to whoever has its session's name. Which of the two this page has, and the way from one to the other.
// An account's chats open for that account alone, and a frame has one of the two for good: there nothing is apart.

import { config } from './config.js';
import { embed } from './embed.js';
import { me } from './guest.js';
import { randomName } from './names.js';
import { addressOf, linkTo } from './place.js';
import { keep, kept } from './storage.js';

// The last chat of one's own in this tab, the groups that this browser is in, and what is to be read in the own chat.
const OWN = 'sophie.chat';
const GROUPS = 'sophie.groups';
const NOTE = 'sophie.note';
const MOST_GROUPS = 100;

const guest = config.sign_in === 'none' && !embed;

export const apart = {
  inGroups: (session) => guest && me()?.session === session,

  inOwn: (session) => guest && me()?.session !== session,

  // A chat is opened: if it is one's own, this tab finds back to it.
  opens(session) {
    if (this.inOwn(session)) keep(OWN, session, 'sessionStorage');
  },

  // The session for groups is in these: chats of one's own lead there.
  joined(groups) {
    const known = groups.slice(0, MOST_GROUPS);
    if (String(known) !== String(this.groups())) keep(GROUPS, known);
  },

  groups() {
    const groups = guest ? kept(GROUPS) : [];
    return Array.isArray(groups) ? groups.filter((group) => typeof group === 'string') : [];
  },

  enter(group) {
    location.assign(linkTo(group));
  },

  // Something is to be read in the own chat, once that is shown.
  leaveNote(text) {
    keep(NOTE, text, 'sessionStorage');
  },

  // What was to be read here, once.
  takeNote() {
    const note = kept(NOTE, 'sessionStorage');
    keep(NOTE, null, 'sessionStorage');
    return typeof note === 'string' ? note : '';
  },

  home() {
    const session = kept(OWN, 'sessionStorage');
    location.assign(addressOf(typeof session === 'string' && this.inOwn(session) ? session : randomName(22)));
  },
};
