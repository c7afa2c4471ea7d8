// The live figures: what this console has heard, and the stream that it comes by.

const MOST = { quarter: 450, day: 288 };
const RETRY_MS = 2000;

export class Live {
  nodes = [];
  quarter = [];
  day = [];
  currency = '';
  // What people and operators did last; and how often was looked.
  news = { waiting: 0, newest: null, rating: null, act: null };
  looks = 0;
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
      } catch (error) {
        if (!signal.aborted) told({ state: 'lost', status: error.status });
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  #look({ nodes, point, day_point: ofDay, news }) {
    Object.assign(this, { nodes, news, looks: this.looks + 1 });
    this.#add('quarter', point);
    this.#add('day', ofDay);
  }

  #add(span, point) {
    if (point && point.at !== this[span].at(-1)?.at) this[span] = [...this[span], point].slice(-MOST[span]);
  }

  close() {
    this.#stop.abort();
  }
}
