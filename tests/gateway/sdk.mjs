// What a user of the official JavaScript SDK does: `node sdk.mjs CHECK OPTIONS`. Ends with an error if anything is not as it should be.

import assert from "node:assert/strict";
import OpenAI from "openai";

const [check, options] = [process.argv[2], JSON.parse(process.argv[3])];
const { baseURL, apiKey, model, text } = options;
const client = new OpenAI({ baseURL, apiKey });
// A temperature of 0 fixes the answer: only such ones are kept.
const question = { model, messages: [{ role: "user", content: text }], temperature: 0 };

async function streamed(more = {}) {
  const chunks = [];
  for await (const chunk of await client.chat.completions.create({ ...question, stream: true, ...more })) chunks.push(chunk);
  return chunks;
}

const contentOf = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? "").join("");

const checks = {
  async whole() {
    const reply = await client.chat.completions.create(question);
    assert.equal(reply.choices[0].message.content, "Hi.");
    assert.deepEqual(reply.choices[0].message.x_new, [1]);
    assert.equal(reply.usage.total_tokens, 12);
  },
  async streamed() {
    assert.equal(contentOf(await streamed()), "Word by word.");
    const counted = await streamed({ stream_options: { include_usage: true } });
    assert.equal(contentOf(counted), "Word by word.");
    assert.equal(counted.at(-1).usage.total_tokens, 12);
    const { data, response } = await client.chat.completions.create(question).withResponse();
    assert.equal(data.choices[0].message.content, "Word by word.");
    assert.ok(["hit", "coalesced"].includes(response.headers.get("x-sophie-cache")));
  },
  async tools() {
    const parameters = { type: "object", properties: { city: { type: "string" } } };
    const tools = [{ type: "function", function: { name: "weather", parameters } }];
    const runner = client.chat.completions.stream({ ...question, tools });
    const message = await runner.finalMessage();
    assert.equal(message.tool_calls[0].function.arguments, '{"city": "Rome"}');
    const whole = await client.chat.completions.create({ ...question, tools });
    assert.equal(whole.choices[0].message.tool_calls[0].id, "call_1");
  },
  async embeddings() {
    const asked = { model: "test-embedding", input: [text, "other"] };
    for (const more of [{}, { user: "another" }]) {
      const reply = await client.embeddings.create({ ...asked, ...more });
      assert.deepEqual(reply.data.map((each) => [...each.embedding]), [[0.5, -2], [1, 0.25]]);
      assert.equal(reply.usage.prompt_tokens, 7);
    }
    const numbers = await client.embeddings.create({ ...asked, encoding_format: "float", dimensions: 2 });
    assert.deepEqual(numbers.data[0].embedding, [3, 4]);
    await assert.rejects(client.embeddings.create({ ...asked, input: [] }), OpenAI.BadRequestError);
  },
  async completions() {
    const asked = { model, prompt: text, temperature: 0, max_tokens: 50 };
    const texts = [];
    for await (const chunk of await client.completions.create({ ...asked, stream: true })) texts.push(chunk.choices[0].text);
    assert.ok(texts.length > 2 && texts.join("") === "Word by word.");
    const whole = await client.completions.create({ ...asked, echo: true });
    assert.equal(whole.object, "text_completion");
    assert.equal(whole.choices[0].text, `${text}Word by word.`);
    assert.equal(whole.choices[0].finish_reason, "stop");
    const twice = client.completions.create({ ...asked, best_of: 2 });
    await assert.rejects(twice, (error) => error instanceof OpenAI.BadRequestError && error.param === "best_of");
  },
  async models() {
    const ids = [];
    for await (const offered of client.models.list()) ids.push(offered.id);
    assert.ok(ids.includes(model));
    assert.equal((await client.models.retrieve(model)).id, model);
  },
  async errors() {
    const stranger = new OpenAI({ baseURL, apiKey: "wrong" });
    await assert.rejects(stranger.chat.completions.create(question), OpenAI.AuthenticationError);
    const other = client.chat.completions.create({ ...question, model: "another-model" });
    await assert.rejects(other, (error) => error instanceof OpenAI.NotFoundError && error.code === "model_not_found");
    await assert.rejects(client.chat.completions.create({ ...question, messages: "no" }), OpenAI.BadRequestError);
  },
  async broken() {
    const read = [];
    await assert.rejects(async () => {
      for await (const chunk of await client.chat.completions.create({ ...question, stream: true })) read.push(chunk);
    }, OpenAI.APIError);
    assert.equal(contentOf(read), "half ");
  },
  async retried() {
    const reply = await client.chat.completions.create(question);
    assert.equal(reply.choices[0].message.content, "At the second try.");
  },
  async aborted() {
    const stream = await client.chat.completions.create({ ...question, stream: true });
    for await (const chunk of stream) {
      assert.equal(contentOf([chunk]), "more ");
      break;
    }
    assert.ok(stream.controller.signal.aborted);
  },
};

await checks[check]();
