// Chats by the AI SDK over the transport of Durable Streams, both as they are published. Prints what became of each.
import { createDurableChatTransport } from "@durable-streams/aisdk-transport";
import { Chat } from "./state.mjs";

const { what, urls, id, text } = JSON.parse(process.argv[2]);
const [here, there] = urls;
const chat = (url, messages) => new Chat(id, createDurableChatTransport({ api: `${url}/ds/chat` }), messages);
const pause = () => new Promise((resolve) => setTimeout(resolve, 5));

/** A question; a page that is loaded anew at the other node meanwhile; and one that comes when the answer has just ended. */
async function resumed() {
  const first = chat(here);
  const asked = first.sendMessage({ text });
  while (first.state.status !== "streaming") await pause();
  const second = chat(there);
  await Promise.all([asked, second.resumeStream()]);
  const third = chat(there);
  await third.resumeStream();
  return [first.told, second.told, third.told];
}

/** A page that finds nothing to resume, and a second question while an answer is being written. */
async function busy() {
  const idle = chat(there);
  await idle.resumeStream();
  const first = chat(here);
  const asked = first.sendMessage({ text });
  while (first.state.status !== "streaming") await pause();
  const second = chat(there);
  await second.sendMessage({ text: "And now?" });
  await asked;
  return [idle.told, first.told, second.told];
}

console.log(JSON.stringify(await { resumed, busy }[what]()));
process.exit(0);
