// What `useChat` keeps in a browser, without a page around it.
import { AbstractChat } from "ai";

class State {
  status = "ready";
  error = undefined;
  messages = [];
  pushMessage = (message) => (this.messages = [...this.messages, message]);
  popMessage = () => (this.messages = this.messages.slice(0, -1));
  replaceMessage = (at, message) => (this.messages = this.messages.with(at, message));
  snapshot = (value) => structuredClone(value);
}

/** A chat by a transport. */
export class Chat extends AbstractChat {
  ended = [];

  constructor(id, transport, messages = [], more = {}) {
    const state = new State();
    state.messages = messages;
    super({ id, state, transport, onFinish: ({ finishReason }) => this.ended.push(finishReason ?? null), ...more });
  }

  /** The text of the last answer. */
  get text() {
    const last = this.state.messages.at(-1);
    return last?.role === "assistant" ? last.parts.map((part) => (part.type === "text" ? part.text : "")).join("") : "";
  }

  /** Waits until its answer has begun. A question that is refused has none. */
  async begun() {
    for (const since = Date.now(); !this.text; await new Promise((resolve) => setTimeout(resolve, 5))) {
      if (this.state.status === "error") throw new Error(`no answer: ${JSON.stringify(this.told)}`);
      if (Date.now() - since > 20_000) throw new Error("waited 20 s in vain for an answer to begin");
    }
  }

  get told() {
    const { status, error, messages } = this.state;
    return { status, error: error?.message, messages };
  }
}
