// What the library makes of close codes, and how long it waits: its rules alone, from their source.
import { Backoff } from "../../clients/js/src/backoff.ts";
import { ending } from "../../clients/js/src/closing.ts";

const { codes } = JSON.parse(process.argv[2]);
const final = Object.fromEntries(codes.map((code) => [code, ending(code, "", null).final]));
const told = [true, false].map((reconnect) => ending(4001, "", { type: "session.closing", code: 4001, reason: "because", reconnect, retry_in_ms: 700 }));
const series = (backoff, ...asked) => Array.from({ length: 40 }, () => backoff.next(...asked));
console.log(
  JSON.stringify({
    final,
    told,
    waits: series(new Backoff()),
    short: series(new Backoff({ firstMs: 10, longestMs: 50 })),
    asked: series(new Backoff(), 5_000),
    hostile: series(new Backoff(), 1e12),
    overloaded: new Backoff().next(0, true),
  }),
);
