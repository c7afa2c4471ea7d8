// Who is in the group that is shown, as far as the server was asked.

const AGAIN_MS = 300;
// After a refusal that passes. Who is no member asks again when he is one, and who is offline when he is back.
const LOAD_AGAIN_MS = 1_500;
const LASTING = ['disconnected', 'not_member', 'not_allowed'];

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
  refreshSoon(wait = AGAIN_MS) {
    this.#soon ??= setTimeout(() => {
      this.#soon = null;
      this.refresh();
    }, wait);
  }

  async refresh() {
    const group = this.#chat.current;
    try {
      const { members } = await this.#chat.client.request('group.members', { group });
      if (group !== this.#chat.current) return;
      this.list = members;
      this.#chat.on.change();
    } catch (refused) {
      if (!LASTING.includes(refused.code)) this.refreshSoon(LOAD_AGAIN_MS);
    }
  }
}
