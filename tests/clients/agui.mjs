// Agents of AG-UI as their client is published. Prints what became of each.
import { HttpAgent } from "@ag-ui/client";

/** A response whose connection breaks behind so many events. */
async function broken(response, events) {
  const whole = await response;
  if (events === Infinity || !whole.body) return whole;
  let left = events;
  const breaking = new TransformStream({
    transform(piece, controller) {
      const parts = new TextDecoder().decode(piece).split(/(?<=\n\n)/);
      controller.enqueue(new TextEncoder().encode(parts.slice(0, left).join("")));
      left -= parts.length;
      if (left <= 0) controller.error(new TypeError("network error"));
    },
  });
  return new Response(whole.body.pipeThrough(breaking), { status: whole.status, headers: whole.headers });
}

/** An agent on a thread, that knows these messages. `events`: so many come, then its connection breaks. */
class Agent {
  constructor(url, threadId, messages, events = Infinity) {
    this.events = [];
    this.agent = new HttpAgent({ url: `${url}/ag-ui`, threadId, initialMessages: messages, fetch: (...asked) => broken(fetch(...asked), events) });
  }

  async run(runId, tools) {
    const told = ({ event }) => void this.events.push(event);
    try {
      await this.agent.runAgent({ runId, tools }, { onEvent: told });
    } catch (error) {
      this.error = String(error);
    }
    return this;
  }

  get told() {
    return { messages: this.agent.messages, events: this.events, error: this.error };
  }
}

// What breaks is told twice: to who ran the agent, and once more to nobody.
process.on("unhandledRejection", (error) => error.message !== "network error" && error.message !== "terminated" && process.exit(1));

const { what, urls, id: thread, text, cuts, tools } = JSON.parse(process.argv[2]);
const [here, there] = urls;
const question = { id: `q-${thread}`, role: "user", content: text };
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A run whose connection breaks behind each number of events; a new agent goes on at the other node; and one that sees it whole. */
async function cut() {
  const one = async (events) => {
    const [name, asked] = [`${thread}-${events}`, { ...question, content: `${text} ${events}` }];
    const first = await new Agent(here, name, [asked], events).run("r1", tools);
    const second = await new Agent(there, name, structuredClone(first.agent.messages)).run("r1", tools);
    const whole = await new Agent(here, name, [asked]).run("r1", tools);
    return [first, second, whole].map((agent) => agent.told);
  };
  return Promise.all(cuts.map(one));
}

/** Two agents have the same run, at both nodes. */
async function shared() {
  const agents = urls.map((url) => new Agent(url, thread, [question]));
  await Promise.all(agents.map((agent) => agent.run("r1")));
  return agents.map((agent) => agent.told);
}

/** Two agents look on, and somebody else cancels the run. */
async function cancelled() {
  const agents = urls.map((url) => new Agent(url, thread, [question]));
  const runs = agents.map((agent) => agent.run("r1"));
  while (agents.some((agent) => !agent.events.some((event) => event.type === "TEXT_MESSAGE_CONTENT"))) await pause(5);
  await fetch(`${there}/ag-ui/threads/${thread}/runs/r1/cancel`, { method: "POST" });
  await Promise.all(runs);
  return agents.map((agent) => agent.told);
}

/** The client carries out the tools that the first run asks for, and runs again with their results. */
async function tooled() {
  const { agent } = await new Agent(here, thread, [question]).run("r1", tools);
  const call = agent.messages.at(-1).toolCalls[0];
  agent.addMessage({ id: "result", role: "tool", toolCallId: call.id, content: "sunny" });
  const second = await new Agent(there, thread, structuredClone(agent.messages)).run("r2", tools);
  return [second.told];
}

/** The first node is killed by whoever reads this line; a new agent goes on at the other one. */
async function orphaned() {
  const first = new Agent(here, thread, [question]);
  const run = first.run("r1");
  while (!first.events.some((event) => event.type === "TEXT_MESSAGE_CONTENT")) await pause(5);
  console.error("begun");
  await run;
  const second = await new Agent(there, thread, structuredClone(first.agent.messages)).run("r1");
  return [first.told, second.told];
}

console.log(JSON.stringify(await { cut, shared, cancelled, tooled, orphaned }[what]()));
process.exit(0);
