// Reads an AsyncAPI document by AsyncAPI's own parser, and tells what it finds.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(0, "utf8"));
const all = (of) => of?.all() ?? [];
console.log(JSON.stringify({
  diagnostics: diagnostics.map(({ code, severity, message, path }) => ({ code, severity, message, path: path.join("/") })),
  channels: Object.fromEntries(all(document?.channels()).map((channel) => [channel.address(), all(channel.messages()).map((message) => message.name())])),
}));
