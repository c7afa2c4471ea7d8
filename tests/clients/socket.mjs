// Chats by the AI SDK's WebSocketChatTransport as it is published. Prints what became of each.
import { WebSocketChatTransport } from "ai";
import { Chat } from "./state.mjs";

const { what, urls, id, text, chunks, viewers, stops } = JSON.parse(process.argv[2]);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A line to the nodes in turn, as through a load balancer. The first connection breaks before the chunk that `rope.left` counts down to. */
function line(first, rope) {
  let dialled = 0;
  return class extends WebSocket {
    constructor(url, protocols) {
      super(`${urls[(first + dialled) % urls.length].replace("http", "ws")}${url.pathname}${url.search}`, protocols);
      dialled += 1;
      this.breaks = dialled === 1;
    }
    set onmessage(hear) {
      super.onmessage = (event) => {
        this.broken ||= this.breaks && JSON.parse(event.data).type === "chunk" && rope.left-- <= 0;
        // What comes until the close is done is lost with the line.
        if (this.broken) return this.close();
        hear(event);
      };
    }
  };
}

class SocketChat extends Chat {
  constructor(first, chat, { most = Infinity, messages, wait } = {}) {
    const rope = { left: most };
    const options = { url: `${urls[first]}/api/chat`, webSocket: line(first, rope), params: wait ? { wait: "1" } : {} };
    const transport = new WebSocketChatTransport(options);
    super(chat, transport, messages);
    this.close = () => transport.close();
    this.breakNoMore = () => (rope.left = Infinity);
  }
}

const said = async (node, chat) => (await fetch(`${urls[node]}/api/chat/${chat}/messages`)).json();

/** For every chunk: the connection breaks before it, the page goes on at the other node, and so does a page that is loaded anew. */
async function cut() {
  const one = async (most) => {
    const chat = `${id}-${most}`;
    const page = new SocketChat(0, chat, { most });
    await page.sendMessage({ text: `${text} ${most}` });
    const broken = page.told;
    page.breakNoMore();
    const loaded = new SocketChat(1, chat, { messages: await said(1, chat) });
    await Promise.all([page.resumeStream(), loaded.resumeStream()]);
    return [broken, page.told, loaded.told];
  };
  // A few at a time: all at once are more than the nodes of a busy machine can be asked for.
  const told = [];
  for (let most = 0; most < chunks; most += 8) told.push(...(await Promise.all(Array.from({ length: Math.min(8, chunks - most) }, (_, n) => one(most + n)))));
  return told;
}

/** Many pages look on, at both nodes, some of them since before the question. */
async function watched() {
  const asker = new SocketChat(0, id);
  const early = Array.from({ length: viewers / 2 }, (_, n) => new SocketChat(n % 2, id, { wait: true }));
  const waiting = early.map((page) => page.resumeStream());
  await pause(500);
  const asked = asker.sendMessage({ text });
  await asker.begun();
  const late = Array.from({ length: viewers / 2 }, (_, n) => new SocketChat(n % 2, id));
  await Promise.all([asked, ...waiting, ...late.map((page) => page.resumeStream())]);
  return [asker, ...early, ...late].map((page) => page.told);
}

/** Who asked stops; how long it takes each time until a page at the other node sees that. Then the same by who looks on. */
async function stopped() {
  const one = async (chat, byViewer) => {
    const [asker, viewer] = [new SocketChat(0, chat), new SocketChat(1, chat)];
    const asked = asker.sendMessage({ text: `${text} ${chat}` });
    await asker.begun();
    const looksOn = viewer.resumeStream();
    await viewer.begun();
    const since = Date.now();
    await (byViewer ? viewer : asker).stop();
    await Promise.all([asked, looksOn]);
    return Date.now() - since;
  };
  const times = [];
  for (const byViewer of [false, true]) {
    const those = [];
    for (let n = 0; n < stops; n += 1) those.push(await one(`${id}-${byViewer}-${n}`, byViewer));
    times.push(those);
  }
  return times;
}

/** The page is closed; another one, later, at the other node. */
async function closed() {
  const page = new SocketChat(0, id);
  const asked = page.sendMessage({ text });
  await page.begun();
  page.close();
  await asked;
  await pause(500);
  const again = new SocketChat(1, id, { messages: await said(1, id) });
  await again.resumeStream();
  return [page.told, again.told];
}

/** A page that looks on is looked at again, and resumes twice: the SDK aborts its first resume for the second. */
async function resumedTwice() {
  const [asker, page] = [new SocketChat(0, id), new SocketChat(1, id)];
  const asked = asker.sendMessage({ text });
  await asker.begun();
  const first = page.resumeStream();
  await page.begun();
  await Promise.all([asked, first, page.resumeStream()]);
  return [asker.told, page.told];
}

/** A page at the first node asks, one at the second looks on; says when both have begun. */
async function interrupted() {
  const [asker, viewer] = [new SocketChat(0, id), new SocketChat(1, id)];
  const asked = asker.sendMessage({ text });
  await asker.begun();
  const looksOn = viewer.resumeStream();
  // What the log is to have of an answer is saved a moment after what is read of it.
  while (viewer.text.length < 100) await pause(5);
  console.error("begun");
  await Promise.all([asked, looksOn]);
  // What is read has ended a moment before the log says so.
  let messages = [];
  for (let tries = 0; tries < 200 && messages.length < 2; tries += 1) {
    messages = await said(1, id);
    await pause(100);
  }
  return [asker.told, { ...viewer.told, ended: viewer.ended }, messages];
}

console.log(JSON.stringify(await { cut, watched, stopped, closed, resumedTwice, interrupted }[what]()));
process.exit(0);
