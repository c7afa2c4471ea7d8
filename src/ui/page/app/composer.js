// Where messages are written: Enter sends, Shift+Enter begins a new line, Stop ends the answer that runs.

import { config } from './config.js';
import { announce, find } from './dom.js';
import { embed } from './embed.js';
import { ALONE, words } from './pictures.js';
import { t } from './texts.js';
import { Tray } from './tray.js';

const TYPING_EVERY_MS = 2_000;

export class Composer {
  #typedAt = 0;
  // What the server said of the text that stands here again; gone as soon as it is changed.
  #refused = '';

  // `most`: characters of the longest message.
  constructor({ most, onSend, onStop, onTyping }) {
    this.most = most;
    this.problem = find('#composer-problem');
    this.input = find('#composer');
    this.form = find('#compose');
    this.stop = find('#stop');
    this.assistant = find('#assistant');
    this.tray = new Tray({ most: config.max_images, bytes: config.max_image_bytes, onChange: (problem) => (problem ? this.#changed(problem) : this.#fit()) });
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
      this.#changed('');
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

  // Puts a text and its images back to where they were, with what was wrong with them.
  edit(said, problem = '', images = []) {
    const text = words({ text: said, images });
    this.tray.put(images);
    this.input.value = this.input.value ? `${text}\n${this.input.value}` : text;
    this.#refused = problem;
    if (problem) announce(problem);
    this.#fit();
    this.input.focus();
  }

  // `assistant`: whether there is a choice to ask it.
  show({ running, assistant }) {
    this.stop.hidden = !running;
    find('#assistant-choice').hidden = !assistant;
  }

  // A frame does not take the focus from the page around it.
  focus() {
    if (embed && !document.hasFocus()) return;
    this.input.focus({ preventScroll: true });
  }

  #send(onSend) {
    const text = this.input.value.trim() || (this.tray.isEmpty ? '' : ALONE);
    if (!text || this.tray.isBusy) return;
    if (this.#tooLong(text)) {
      // Said again to who cannot see that it stands there.
      announce(this.problem.textContent);
      return;
    }
    this.#refused = '';
    const images = this.tray.take();
    this.input.value = '';
    this.#fit();
    onSend(text, find('#assistant-choice').hidden || this.assistant.checked, images);
    this.input.focus({ preventScroll: true });
  }

  #changed(problem) {
    this.#refused = problem;
    this.#fit();
  }

  #fit() {
    this.input.style.height = 'auto';
    this.input.style.height = `${this.input.scrollHeight}px`;
    const text = this.input.value.trim();
    find('#send').disabled = this.tray.isBusy || (!text && this.tray.isEmpty);
    this.#count(text);
  }

  #tooLong(text) {
    return length(text) > this.most;
  }

  // The text stays where it was typed; only near the end of what fits is it counted before the reader's eyes.
  #count(text) {
    const n = text.length > this.most / 2 ? length(text) : 0;
    const values = { n, most: this.most };
    const long = n > this.most;
    this.problem.textContent = this.#refused || (long ? t('composer.long', values) : n > this.most * 0.9 ? t('composer.length', values) : '');
    this.problem.classList.toggle('problem', long || Boolean(this.#refused));
    this.input.setAttribute('aria-invalid', String(long));
  }
}

// Characters as the server counts them: not the halves of UTF-16.
function length(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
