// Where messages are written: Enter sends, Shift+Enter begins a new line, Stop ends the answer that runs.

import { find } from './dom.js';

const TYPING_EVERY_MS = 2_000;

export class Composer {
  #typedAt = 0;

  constructor({ onSend, onStop, onTyping }) {
    this.input = find('#composer');
    this.form = find('#compose');
    this.stop = find('#stop');
    this.assistant = find('#assistant');
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send(onSend);
    });
    this.input.addEventListener('keydown', (event) => {
      // While an input method composes a word, Enter belongs to it.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#send(onSend);
    });
    this.input.addEventListener('input', () => {
      this.#fit();
      if (this.input.value.trim() && Date.now() - this.#typedAt > TYPING_EVERY_MS) {
        this.#typedAt = Date.now();
        onTyping();
      }
    });
    this.stop.addEventListener('click', () => {
      onStop();
      this.input.focus();
    });
    this.#fit();
  }

  edit(text) {
    this.input.value = this.input.value ? `${text}\n${this.input.value}` : text;
    this.#fit();
    this.input.focus();
  }

  show({ running, home }) {
    this.stop.hidden = !running;
    find('#assistant-choice').hidden = home;
  }

  focus() {
    this.input.focus({ preventScroll: true });
  }

  #send(onSend) {
    const text = this.input.value.trim();
    if (!text) return;
    this.input.value = '';
    this.#fit();
    onSend(text, find('#assistant-choice').hidden || this.assistant.checked);
    this.input.focus({ preventScroll: true });
  }

  #fit() {
    this.input.style.height = 'auto';
    this.input.style.height = `${this.input.scrollHeight}px`;
    find('#send').disabled = !this.input.value.trim();
  }
}
