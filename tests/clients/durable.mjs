// Reads a stream with the published client, each time so many pieces, then from where it was at the next address. Prints what it read.
import { stream } from "@durable-streams/client";

const { urls, live, pieces } = JSON.parse(process.argv[2]);

/** Reads on from an offset; the bytes, the next offset, and whether the stream has ended. */
async function read(url, offset, most) {
  const cutting = new AbortController();
  const response = await stream({ url, offset, live, signal: cutting.signal });
  const bytes = [];
  let next = offset;
  let ended = false;
  await new Promise((resolve, reject) => {
    let count = 0;
    response.subscribeBytes((piece) => {
      bytes.push(piece.data);
      next = piece.offset;
      ended = piece.streamClosed;
      count += 1;
      if (ended || count >= most) resolve();
    });
    // The last piece is handed on after that.
    const through = () => (next === response.offset ? resolve() : setImmediate(through));
    response.closed.then(through, reject);
  });
  ended ||= response.streamClosed;
  cutting.abort();
  return { bytes, next, ended };
}

const all = [];
let [offset, ended] = ["-1", false];
for (let turn = 0; !ended; turn += 1) {
  const part = await read(urls[turn % urls.length], offset, pieces ?? Infinity);
  all.push(...part.bytes);
  [offset, ended] = [part.next, part.ended];
}
process.stdout.write(Buffer.concat(all));
process.exit(0);
