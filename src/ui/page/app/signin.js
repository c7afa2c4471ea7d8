// The form that asks for a token, in the place of the conversation, where one is needed and there is none that is good.

import { find } from './dom.js';
import { embed } from './embed.js';
import { remember } from './place.js';
import { t } from './texts.js';

// Whether a token (a JWT) says itself that its time is over. One that cannot be read is the server's to judge.
function expired(token) {
  try {
    const claims = JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')));
    return claims.exp * 1_000 <= Date.now();
  } catch {
    return false;
  }
}

export class SignIn {
  // `kind`: what is needed, as the server's settings say; `onToken(token)`: there is one to try.
  constructor(kind, onToken) {
    this.kind = kind;
    this.root = find('#sign-in');
    this.input = find('#token');
    this.problem = find('#sign-in-problem');
    find('#sign-in-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const token = kind === 'token' ? this.input.value.replace(/^\s*bearer\s/i, '').replace(/\s/g, '') : '';
      if (kind === 'token' && !token) this.#say(t('sign.empty'));
      else if (expired(token)) this.#say(t('sign.expired'));
      else this.#try(token, onToken);
    });
  }

  get shown() {
    return !this.root.hidden;
  }

  // Before the first connection, which would only be refused. Says whether it asks.
  needed(token) {
    if (this.kind !== 'token' || (token && !expired(token))) return false;
    this.#show(token ? t('sign.expired') : '');
    return true;
  }

  // The server ended or refused the connection for good: says whether that is for want of a good token.
  refused(refusal, token) {
    const late = this.kind === 'token' && token && expired(token);
    if (this.kind === 'none' || !(late || refusal?.code === 'unauthorized' || (refusal?.code === 'not_allowed' && this.kind === 'token'))) return false;
    const said = late || /expired/.test(refusal?.reason) ? 'sign.expired' : refusal.code === 'not_allowed' ? 'sign.other' : 'sign.refused';
    this.#show(this.kind === 'token' ? t(said) : '');
    return true;
  }

  // It worked.
  done() {
    this.root.hidden = true;
    this.input.value = '';
    find('#stage').dataset.signedOut = 'false';
  }

  #try(token, onToken) {
    remember(token);
    this.done();
    onToken(token);
  }

  #show(problem) {
    remember('');
    const byToken = this.kind === 'token';
    this.root.hidden = false;
    find('#stage').dataset.signedOut = 'true';
    find('#sign-in-what').textContent = byToken ? t('sign.what') : t('sign.application');
    find('#sign-in-token').hidden = !byToken;
    find('#sign-in-do').textContent = byToken ? t('sign.do') : t('sign.again');
    this.#say(problem);
    if (!embed || document.hasFocus()) (byToken ? this.input : find('#sign-in-do')).focus();
  }

  #say(problem) {
    this.problem.textContent = problem;
    this.input.setAttribute('aria-invalid', String(Boolean(problem)));
  }
}
