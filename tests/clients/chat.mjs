// Chats by the AI SDK as it is published, without a page around it: what `useChat` is in a browser. Prints what became of each.
import { DefaultChatTransport } from "ai";
import { Chat } from "./state.mjs";

/** A chat at an address. `most`: the connection breaks after so many bytes of its stream. */
class HttpChat extends Chat {
  constructor(url, id, { most = Infinity, messages = [] } = {}) {
    super(id, new DefaultChatTransport({ api: `${url}/api/chat`, fetch: (...asked) => broken(fetch(...asked), most) }), messages);
  }
}

async function broken(response, most) {
  const whole = await response;
  if (most === Infinity || !whole.body) return whole;
  let left = most;
  const breaking = new TransformStream({
    transform(piece, controller) {
      controller.enqueue(piece.subarray(0, left));
      left -= piece.length;
      if (left <= 0) controller.error(new TypeError("network error"));
    },
  });
  return new Response(whole.body.pipeThrough(breaking), { status: whole.status, headers: whole.headers });
}

const { what, urls, id, text, most, viewers } = JSON.parse(process.argv[2]);
const [here, there] = urls;

/** A question, and the connection breaks; then a page that is loaded anew at the other node. */
async function resumed() {
  const first = new HttpChat(here, id, { most });
  await first.sendMessage({ text });
  const loaded = await (await fetch(`${there}/api/chat/${id}/messages`)).json();
  const second = new HttpChat(there, id, { messages: loaded });
  await second.resumeStream();
  return [first.told, second.told];
}

/** Many pages look on, at both nodes. */
async function watched() {
  const asker = new HttpChat(here, id);
  const asked = asker.sendMessage({ text });
  while (asker.state.status !== "streaming") await new Promise((resolve) => setTimeout(resolve, 5));
  const pages = Array.from({ length: viewers }, (_, n) => new HttpChat(urls[n % 2], id));
  await Promise.all([asked, ...pages.map((page) => page.resumeStream())]);
  return [asker, ...pages].map((chat) => chat.told);
}

/** The user stops the answer: the fetch is closed, and the server told. */
async function stopped() {
  const chat = new HttpChat(here, id);
  const asked = chat.sendMessage({ text });
  await chat.begun();
  await fetch(`${there}/api/chat/${id}/stop`, { method: "POST" });
  await asked;
  return [chat.told];
}

/** A second question while an answer is being written, and another answer when it is there. */
async function busy() {
  const chat = new HttpChat(here, id);
  const asked = chat.sendMessage({ text });
  while (chat.state.status !== "streaming") await new Promise((resolve) => setTimeout(resolve, 5));
  const other = new HttpChat(there, id);
  await other.sendMessage({ text: "And now?" });
  await asked;
  await chat.regenerate();
  return [chat.told, other.told];
}

console.log(JSON.stringify(await { resumed, watched, stopped, busy }[what]()));
process.exit(0);
