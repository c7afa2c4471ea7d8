// What a browser tells of the network and of who looks at the page. Elsewhere there is nothing to hear.

interface Listens {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

/** Calls `wake` when a connection is worth a look, until the function that is returned is called. */
export function wakeups(wake: () => void): () => void {
  const page = globalThis as unknown as Partial<Listens> & { document?: Listens & { hidden: boolean } };
  const { document } = page;
  if (!document || !page.addEventListener) return () => {};
  const seen = () => {
    if (!document.hidden) wake();
  };
  const told: [Partial<Listens>, string, () => void][] = [
    [page, 'online', wake],
    // A page that comes back out of a browser's cache has lost its connection.
    [page, 'pageshow', wake],
    [document, 'visibilitychange', seen],
  ];
  for (const [target, type, listener] of told) target.addEventListener?.(type, listener);
  return () => {
    for (const [target, type, listener] of told) target.removeEventListener?.(type, listener);
  };
}
