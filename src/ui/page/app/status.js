// The connection's state: said once, quietly.

import { find } from './dom.js';

const WORDS = { connecting: 'Connecting…', online: 'Connected', waiting: 'Reconnecting…', stopped: 'Disconnected' };

export class Status {
  constructor(onReconnect) {
    this.element = find('#status');
    this.banner = find('#banner');
    find('#reconnect').addEventListener('click', onReconnect);
  }

  show({ phase, reason, attempt }) {
    // A connection that fails at its first try is no news yet.
    const words = phase === 'connecting' && attempt > 0 ? WORDS.waiting : WORDS[phase];
    this.element.dataset.phase = phase;
    const label = find('#status-label');
    if (label.textContent !== words) label.textContent = words;
    const troubled = phase === 'stopped' || (phase === 'waiting' && (attempt > 2 || reason));
    if (phase === 'connecting' && attempt > 0) return;
    this.banner.hidden = !troubled;
    find('#banner-text').textContent = troubled ? sentence(phase, reason) : '';
    find('#reconnect').textContent = phase === 'stopped' ? 'Connect again' : 'Try now';
  }
}

function sentence(phase, reason) {
  const why = reason ? reason.charAt(0).toUpperCase() + reason.slice(1) : 'The server cannot be reached';
  const end = /[.!?]$/.test(why) ? why : `${why}.`;
  return phase === 'stopped' ? end : `${end} Your messages wait here until it can.`;
}
