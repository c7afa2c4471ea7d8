// The images that go with the next message: chosen, pasted or dropped, and shown until it is sent.

import { announce, find, h, icon } from './dom.js';
import { shrunk } from './shrink.js';
import { t } from './texts.js';

const NAME = 200;

export class Tray {
  // {url, name}
  #items = [];
  #working = 0;
  #onChange;

  // `most` images of at most `bytes` each; without any there is no way to add one. `onChange` is told a problem, if there is one.
  constructor({ most, bytes, onChange }) {
    Object.assign(this, { most, bytes });
    this.#onChange = onChange;
    this.list = find('#tray');
    const chooser = find('#choose-image');
    const button = find('#attach');
    button.hidden = !most;
    if (!most) return;
    button.addEventListener('click', () => chooser.click());
    chooser.addEventListener('change', () => {
      // The list itself is emptied with the chooser.
      this.add([...chooser.files]);
      chooser.value = '';
    });
    find('#composer').addEventListener('paste', (event) => this.#given(event, event.clipboardData));
    const stage = find('#stage');
    stage.addEventListener('dragover', (event) => event.dataTransfer.types.includes('Files') && event.preventDefault());
    stage.addEventListener('drop', (event) => this.#dropped(event));
  }

  get isEmpty() {
    return this.#items.length === 0;
  }

  // Whether one is still being made small enough.
  get isBusy() {
    return this.#working > 0;
  }

  async add(files) {
    for (const file of files) {
      if (this.#items.length + this.#working >= this.most) {
        this.#say(t('images.most', { n: this.most }));
        return;
      }
      this.#working += 1;
      this.#onChange();
      const url = await shrunk(file, this.bytes).catch(() => null);
      this.#working -= 1;
      const name = [...(file.name || t('images.pasted'))].slice(0, NAME).join('').toWellFormed?.() ?? file.name;
      if (url) this.put([{ url, name }]);
      else this.#say(t('images.bad', { name }));
    }
  }

  // Puts images there, as they come back with a message that was not sent.
  put(images) {
    this.#items = [...this.#items, ...images].slice(0, this.most);
    this.#show();
    this.#onChange();
  }

  // Gives them away.
  take() {
    const items = this.#items;
    this.#items = [];
    this.#show();
    return items;
  }

  // A file that is no image must not take the page's place either.
  #dropped(event) {
    const [file] = event.dataTransfer.files;
    if (!file) return;
    event.preventDefault();
    if (!this.#given(event, event.dataTransfer)) this.#say(t('images.bad', { name: file.name }));
  }

  // Says whether there was an image.
  #given(event, data) {
    const images = [...(data?.files ?? [])].filter(({ type }) => type.startsWith('image/'));
    if (!images.length) return false;
    event.preventDefault();
    this.add(images);
    return true;
  }

  #say(text) {
    this.#onChange(text);
    announce(text);
  }

  #show() {
    this.list.hidden = this.isEmpty;
    this.list.replaceChildren(...this.#items.map((item) => this.#shown(item)));
  }

  #shown(item) {
    const remove = () => {
      this.#items = this.#items.filter((other) => other !== item);
      this.#show();
      this.#onChange();
      announce(t('images.removed', { name: item.name }));
      find('#composer').focus({ preventScroll: true });
    };
    const label = t('images.remove', { name: item.name });
    const button = h('button', { type: 'button', class: 'remove', 'aria-label': label, title: label, onclick: remove }, icon('close'));
    return h('li', {}, h('img', { src: item.url, alt: item.name }), button);
  }
}
