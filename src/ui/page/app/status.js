// The connection's state: said once, quietly.

import { find } from './dom.js';
import { ending } from './reason.js';
import { t } from './texts.js';

const WORDS = { connecting: 'status.connecting', online: 'status.online', waiting: 'status.waiting', stopped: 'status.stopped', 'signed-out': 'sign.status' };

export class Status {
  constructor(onReconnect) {
    this.element = find('#status');
    this.banner = find('#banner');
    find('#reconnect').addEventListener('click', onReconnect);
    this.#say('connecting');
  }

  show({ phase, reason, attempt, code }) {
    this.element.dataset.phase = phase;
    // A connection that fails at its first try is no news yet.
    this.#say(phase === 'connecting' && attempt > 0 ? 'waiting' : phase);
    const troubled = phase === 'stopped' || (phase === 'waiting' && (attempt > 2 || reason));
    if (phase === 'connecting' && attempt > 0) return;
    this.banner.hidden = !troubled;
    find('#banner-text').textContent = troubled ? sentence(phase, reason && ending(code, reason)) : '';
    find('#reconnect').textContent = t(phase === 'stopped' ? 'status.again' : 'status.now');
  }

  #say(phase) {
    const words = t(WORDS[phase]);
    const label = find('#status-label');
    if (label.textContent !== words) label.textContent = words;
  }
}

function sentence(phase, reason) {
  const why = reason ? reason.charAt(0).toUpperCase() + reason.slice(1) : t('status.unreachable');
  const end = /[.!?]$/.test(why) ? why : `${why}.`;
  return phase === 'stopped' ? end : t('status.waits', { why: end });
}
