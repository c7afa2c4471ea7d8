// Who is in the group that is shown, as far as the server was asked.

const AGAIN_MS = 300;

export class Members {
  list = [];
  #chat;
  #soon = null;

  constructor(chat) {
    this.#chat = chat;
  }

  // Another group is shown.
  turn() {
    this.list = [];
    this.refresh();
  }

  // However many come and go, the list is asked for once in a while: each time costs the server something.
  refreshSoon() {
    this.#soon ??= setTimeout(() => {
      this.#soon = null;
      this.refresh();
    }, AGAIN_MS);
  }

  async refresh() {
    const group = this.#chat.current;
    const reply = await this.#chat.client.request('group.members', { group }).catch(() => null);
    if (group !== this.#chat.current || !reply) return;
    this.list = reply.members;
    this.#chat.on.change();
  }
}
