// Tools that a page calls, by the AI SDK as it is published. Prints what became of each chat.
import { DefaultChatTransport, WebSocketChatTransport, lastAssistantMessageIsCompleteWithToolCalls } from "ai";
import { Chat } from "./state.mjs";

const { urls, id, text, tools } = JSON.parse(process.argv[2]);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const transports = {
  http: (url) => new DefaultChatTransport({ api: `${url}/api/chat`, body: { tools } }),
  socket: (url) => new WebSocketChatTransport({ url: `${url}/api/chat`, body: { tools } }),
};

/** A page that knows the weather of each city. */
function page(kind, url, chat, messages = []) {
  const called = [];
  const made = new Chat(chat, transports[kind](url), messages, {
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
    onToolCall: ({ toolCall }) => {
      called.push(toolCall.toolCallId);
      made.addToolOutput({ tool: toolCall.toolName, toolCallId: toolCall.toolCallId, output: { city: toolCall.input.city, degrees: 31 } });
    },
  });
  made.called = called;
  return made;
}

async function played(kind) {
  const chat = `${id}-${kind}`;
  const asks = page(kind, urls[0], chat);
  const asked = asks.sendMessage({ text: `${text} ${kind}` });
  // The last step is being written: a page at the other node comes in the middle of it.
  while (!asks.text.includes("It is")) await pause(5);
  const said = await (await fetch(`${urls[1]}/api/chat/${chat}/messages`)).json();
  const looksOn = page(kind, urls[1], chat, said);
  const empty = page(kind, urls[1], chat);
  await Promise.all([asked, looksOn.resumeStream(), empty.resumeStream()]);
  while (asks.state.status !== "ready") await pause(5);
  let loaded;
  do {
    loaded = await (await fetch(`${urls[1]}/api/chat/${chat}/messages`)).json();
  } while (!JSON.stringify(loaded).includes("whole day") && (await pause(50)) === undefined);
  return [asks, looksOn, empty].map((one) => ({ ...one.told, called: one.called })).concat({ messages: loaded });
}

console.log(JSON.stringify([await played("http"), await played("socket")]));
process.exit(0);
