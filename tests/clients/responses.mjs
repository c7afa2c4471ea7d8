// OpenAI's SDK and the AI SDK's OpenAI provider, by the Responses API. Plays one scene; prints what it saw.
import { createOpenAI } from "@ai-sdk/openai";
import { stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";

const { what, urls, text, cut } = JSON.parse(process.argv[2]);
const clients = urls.map((url) => new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 }));
const model = createOpenAI({ baseURL: `${urls[0]}/v1`, apiKey: "none" })("test-model");

/** All events of a stream. */
async function all(stream) {
  const told = [];
  for await (const event of stream) told.push(event);
  return told;
}

const scenes = {
  async asked() {
    const whole = await clients[0].responses.create({ model: "m", input: text });
    const streamed = clients[1].responses.stream({ model: "m", input: `${text} again` });
    const told = await all(streamed);
    return { whole, again: await clients[1].responses.retrieve(whole.id), told, last: await streamed.finalResponse() };
  },
  async parsed() {
    const schema = { type: "object", properties: { name: { type: "string" } }, required: ["name"], additionalProperties: false };
    const format = { type: "json_schema", name: "city", strict: true, schema };
    const reply = await clients[0].responses.parse({ model: "m", input: text, text: { format } });
    return reply.output_parsed ?? JSON.parse(reply.output_text);
  },
  async cut() {
    const told = [];
    const begun = await clients[0].responses.create({ model: "m", input: text, background: true, stream: true });
    for await (const event of begun) {
      told.push(event);
      if (told.length === cut) break;
    }
    const [id, after] = [told[0].response.id, told.at(-1).sequence_number];
    const rest = await clients[1].responses.retrieve(id, { stream: true, starting_after: after });
    told.push(...(await all(rest)));
    // The helper asks from the start, and leaves out what it was told to by itself.
    const helped = await all(clients[1].responses.stream({ response_id: id, starting_after: after }));
    return { told, helped };
  },
  async stopped() {
    const running = await clients[0].responses.create({ model: "m", input: text, background: true });
    const stopped = await clients[1].responses.cancel(running.id);
    const again = await clients[0].responses.cancel(running.id);
    await clients[1].responses.delete(running.id);
    const gone = await clients[0].responses.retrieve(running.id).catch((error) => error);
    return { stopped, again, gone: { status: gone.status, message: gone.error?.message } };
  },
  async provider() {
    const result = streamText({ model, prompt: text });
    return { text: await result.text, usage: await result.usage, finishReason: await result.finishReason };
  },
  async tools() {
    const weather = tool({
      description: "The weather of a city.",
      inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }) => `Sunny in ${city}`,
    });
    const result = streamText({ model, prompt: text, tools: { weather }, stopWhen: stepCountIs(3) });
    const first = { text: await result.text, steps: (await result.steps).length };
    // What the model said before is named by its id, and not said again.
    const said = [{ role: "user", content: text }, ...(await result.response).messages];
    const other = createOpenAI({ baseURL: `${urls[1]}/v1`, apiKey: "none" })("test-model");
    const next = streamText({ model: other, messages: [...said, { role: "user", content: "And then?" }] });
    return { ...first, next: await next.text };
  },
};

process.stdout.write(JSON.stringify(await scenes[what]()), () => process.exit(0));
