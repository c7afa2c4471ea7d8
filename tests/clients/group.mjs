// Follows a group with the published client, at one address after the other, so many events at each. Prints the events.
import { stream } from "@durable-streams/client";

const { urls, live, events, most } = JSON.parse(process.argv[2]);

/** Reads on from an offset: the events, and the next offset. */
async function read(url, offset, most) {
  const cutting = new AbortController();
  const response = await stream({ url, offset, live, signal: cutting.signal });
  const items = [];
  let next = offset;
  await new Promise((resolve, reject) => {
    response.subscribeJson((batch) => {
      items.push(...batch.items);
      next = batch.offset;
      if (items.length >= most) resolve();
    });
    response.closed.then(() => reject(new Error("a group never ends")), reject);
  });
  cutting.abort();
  return { items, next };
}

const all = [];
let offset = "-1";
for (let turn = 0; all.length < events; turn += 1) {
  const part = await read(urls[turn % urls.length], offset, Math.min(most, events - all.length));
  all.push(...part.items);
  offset = part.next;
}
console.log(JSON.stringify(all));
process.exit(0);
