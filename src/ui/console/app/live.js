// The live figures: what this console has heard, and the stream that it comes by.

const MOST = 450;
const RETRY_MS = 2000;

export class Live {
  nodes = [];
  quarter = [];
  day = [];
  currency = '';
  #stop = new AbortController();

  // Hears until it is closed. `told(state)` is called at each event, and when the stream is lost.
  async follow(api, told) {
    const signal = this.#stop.signal;
    while (!signal.aborted) {
      try {
        await api.events((name, data) => {
          if (name === 'history') Object.assign(this, { quarter: data.quarter, day: data.day, currency: data.currency });
          if (name === 'figures') this.#look(data);
          told(name === 'figures' ? { state: 'on', node: data.node } : null);
        }, signal);
      } catch {
        if (!signal.aborted) told({ state: 'lost' });
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  #look({ nodes, point }) {
    this.nodes = nodes;
    if (point && point.at !== this.quarter.at(-1)?.at) this.quarter = [...this.quarter, point].slice(-MOST);
  }

  close() {
    this.#stop.abort();
  }
}
