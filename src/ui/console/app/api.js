// The admin API: who asks shows the token. What goes wrong is an error with the server's own sentence.

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export class Api {
  #token;
  #refused;

  // `refused` is called when the token is no longer taken.
  constructor(token, refused) {
    this.#token = token;
    this.#refused = refused;
  }

  get(path, signal) {
    return this.#ask('GET', path, undefined, signal);
  }

  act(method, path, body) {
    return this.#ask(method, path, body);
  }

  async #fetch(method, path, body, signal, accept) {
    const headers = { authorization: `Bearer ${this.#token}`, accept };
    if (body !== undefined) headers['content-type'] = 'application/json';
    // An act that is sent twice because its reply was lost is carried out once.
    if (method === 'POST') headers['idempotency-key'] = crypto.getRandomValues(new Uint32Array(4)).join('-');
    let response;
    try {
      response = await fetch(`/admin/api/${path}`, { method, headers, body: body && JSON.stringify(body), signal, cache: 'no-store' });
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new ApiError(0, 'unreachable', '');
    }
    if (response.status === 401) this.#refused();
    if (!response.ok) {
      const told = await response.json().catch(() => ({}));
      throw new ApiError(response.status, told.error?.code ?? 'error', told.error?.message ?? `${response.status}`);
    }
    return response;
  }

  async #ask(method, path, body, signal) {
    return (await this.#fetch(method, path, body, signal, 'application/json')).json();
  }

  // Calls `tell(name, data)` for each event until the stream ends.
  async events(tell, signal) {
    const response = await this.#fetch('GET', 'events', undefined, signal, 'text/event-stream');
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let read = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      read += value;
      const events = read.split('\n\n');
      read = events.pop();
      for (const event of events) {
        const fields = Object.fromEntries(event.split('\n').map((line) => line.split(/: (.*)/s, 2)));
        if (fields.event) tell(fields.event, JSON.parse(fields.data));
      }
    }
  }
}
