// What the client library is put through, in Node and in a browser alike. `act(what)` has the test do something from outside.

const until = async (condition, what, seconds = 20) => {
  const deadline = Date.now() + seconds * 1_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const code = (promise) => promise.then(() => 'done', ({ name, code, retryAfterMs }) => ({ name, code, retryAfterMs }));
const quick = { backoff: { firstMs: 50, longestMs: 500 } };

/** A client whose events are written down. */
function client(kit, more = {}) {
  const chat = new kit.Sophie({ url: kit.url, session: kit.session, ...quick, ...more });
  const heard = { states: [], stale: [], messages: [], seqs: [], frames: [], errors: [] };
  chat.on('state', (state) => heard.states.push({ ...state, at: Date.now() }));
  chat.on('stale', ({ group, reason }) => heard.stale.push([group, reason]));
  chat.on('message', ({ seq, message }) => heard.messages.push(message.text) && heard.seqs.push(seq));
  chat.on('frame', (frame) => heard.frames.push(frame));
  chat.on('error', (error) => heard.errors.push(error.code));
  heard.phases = () => heard.states.map(({ phase }) => phase);
  return { chat, heard };
}

const logged = async (chat, group) => {
  const events = [];
  for await (const event of chat.past(group)) events.unshift(event);
  return events;
};

export const scenarios = {
  /** A question, its answer piece by piece, the history, and an end that leaves nothing behind. */
  async talk(kit) {
    const { chat, heard } = client(kit);
    await chat.connect();
    const answer = await chat.ask('What is an actor?');
    const pieces = [];
    for await (const piece of answer) pieces.push(piece);
    const { text, state, model, cache, usage, message, length } = await answer.ended;
    const past = await logged(chat);
    const again = kit.Sophie.Answer ?? kit.Answer;
    const read = again.of(past.at(-1));
    const until = { user: chat.user, home: chat.home, groups: chat.groups, position: chat.position() };
    chat.close();
    return { pieces, text, state, model, cache, usage, length, asked: message, past, read: read.text === text && read.state, ...until, phases: heard.phases(), stale: heard.stale };
  },

  /** The line is cut while an answer is being written, three times. */
  async cut(kit) {
    const { chat, heard } = client(kit);
    await chat.connect();
    const answer = await chat.ask('Tell me of actors, at length');
    let text = '';
    let ends = 0;
    chat.on('answer.end', () => (ends += 1));
    chat.on('answer.delta', ({ text: piece }) => (text += piece));
    text = answer.text;
    for (const cut of [1, 2, 3]) {
      await until(() => text.length > cut * 40 || answer.state !== 'running', 'the answer to grow');
      await kit.act('cut');
      await until(() => chat.state.phase !== 'open', 'the cut to be seen');
      await kit.act('mend');
      await until(() => chat.state.phase === 'open', 'to be connected again');
    }
    await answer.ended;
    const past = await logged(chat);
    chat.close();
    return { text, whole: answer.text, logged: past.at(-1).text, state: answer.state, ends, stale: heard.stale, opened: heard.phases().filter((phase) => phase === 'open').length };
  },

  /** The line is cut while the model thinks. */
  async thoughts(kit) {
    const { chat } = client(kit);
    await chat.connect();
    const answer = await chat.ask('Think of actors, at length');
    let thought = answer.reasoning;
    chat.on('answer.reasoning', ({ text }) => (thought += text));
    await until(() => thought.length > 40, 'the model to think');
    await kit.act('cut');
    await until(() => chat.state.phase !== 'open', 'the cut to be seen');
    await kit.act('mend');
    await answer.ended;
    const { text, reasoning, reasoningMs, reasoningCut, length } = answer;
    const read = (kit.Sophie.Answer ?? kit.Answer).of((await logged(chat)).at(-1));
    chat.close();
    return { thought, text, length, reasoning, reasoningMs, reasoningCut, read: [read.text, read.reasoning, read.reasoningMs] };
  },

  /** The line is lost between a message and its acknowledgement; others were said after it. */
  async once(kit) {
    const { chat, heard } = client(kit);
    await chat.connect();
    await chat.send('before', { assistant: false });
    await kit.act('hush');
    const sent = ['one', 'two', 'three'].map((text) => chat.send(text, { assistant: false }));
    await until(() => chat.sending[0]?.state === 'sent', 'the message to be sent');
    await kit.act({ logged: 'one', session: kit.session });
    await kit.act('cut');
    await until(() => chat.state.phase !== 'open', 'the cut to be seen');
    const queued = chat.sending.map(({ text, state }) => [text, state]);
    await kit.act('mend');
    const acks = await Promise.all(sent);
    const ids = heard.frames.filter(({ type }) => type === 'ack').length;
    const past = (await logged(chat)).map(({ message }) => message.text);
    await until(() => heard.messages.length === 4, 'each to be seen');
    chat.close();
    return { queued, acks, past, ids, messages: heard.messages, left: chat.sending.length };
  },

  /** The node dies; the next one goes on where it was. */
  async other(kit) {
    const { chat, heard } = client(kit, { groups: [kit.group] });
    await chat.connect();
    await until(() => chat.groups.includes(kit.group), 'the group to be joined');
    await chat.send('before', { assistant: false });
    await chat.send('before in the group', { group: kit.group, assistant: false });
    await until(() => heard.messages.length === 2, 'both to be seen');
    const first = heard.frames.find(({ type }) => type === 'session.ready').node;
    await kit.act('kill');
    await until(() => chat.state.phase !== 'open', 'the death to be seen');
    await kit.act({ say: ['meanwhile'], session: kit.session });
    await kit.act({ say: ['meanwhile in the group'], session: kit.session, group: kit.group });
    const waiting = chat.send('after', { assistant: false });
    await kit.act('lead-to-the-other');
    await waiting;
    await until(() => heard.messages.length === 5, 'what was missed');
    const second = heard.frames.filter(({ type }) => type === 'session.ready').at(-1).node;
    chat.close();
    return { first, second, messages: heard.messages, stale: heard.stale };
  },

  /** What waits for a client that does not read is too much: it is closed, and recovers. */
  async slow(kit) {
    const { chat, heard } = client(kit);
    await chat.connect();
    await kit.act('stall');
    const said = await kit.act({ flood: kit.session });
    await kit.act('mend');
    await until(() => heard.messages.length >= said, 'all that was said', 40);
    chat.close();
    const codes = heard.states.filter(({ phase }) => phase === 'waiting').map(({ code }) => code);
    return { said, codes, seqs: heard.seqs, stale: heard.stale };
  },

  /** The broker is ended as a deployment does it, and begun again. Its memory is gone; the group is joined anew. */
  async drain(kit) {
    const { chat, heard } = client(kit, { groups: [kit.group] });
    await chat.connect();
    await until(() => chat.groups.includes(kit.group), 'the group to be joined');
    await kit.act('end');
    await until(() => chat.state.phase !== 'open', 'the goodbye');
    const { code, retryAt, at } = heard.states.find(({ phase }) => phase === 'waiting');
    const closing = heard.frames.find(({ type }) => type === 'session.closing');
    const kept = retryAt - at;
    const sent = chat.send('through it', { group: kit.group, assistant: false });
    await kit.act('start');
    await sent;
    const past = (await logged(chat, kit.group)).map(({ message }) => message.text);
    const groups = chat.groups;
    chat.close();
    return { code, asked: closing.retry_in_ms, reconnect: closing.reconnect, kept, past, groups, stale: heard.stale, home: chat.home };
  },

  /** An operator closes the session: that is the end, until the program says otherwise. */
  async operator(kit) {
    const { chat, heard } = client(kit);
    await chat.connect();
    await chat.send('before', { assistant: false });
    const presence = chat.presence();
    await kit.act({ close: kit.session });
    await until(() => chat.state.phase === 'closed', 'the end');
    const { code: closed, reason } = chat.state;
    const refused = [await code(chat.send('after')), await code(chat.members()), await code(presence.refresh())];
    const dials = heard.phases().filter((phase) => phase === 'connecting').length;
    await pause(1_000);
    const still = heard.phases().filter((phase) => phase === 'connecting').length - dials;
    await chat.connect();
    const past = (await logged(chat)).map(({ message }) => message.text);
    chat.close();
    return { closed, reason, refused, still, past };
  },

  /** A token that is none: why it is refused is told, and that is the end. */
  async wrong(kit) {
    const { chat, heard } = client(kit, { token: 'not.a.token' });
    const refused = await code(chat.connect());
    const { phase, code: status, reason } = chat.state;
    const dials = heard.phases().filter((phase) => phase === 'connecting').length;
    await pause(500);
    return { refused, phase, status, reason, dials, still: heard.phases().filter((phase) => phase === 'connecting').length - dials };
  },

  /** Tokens are got anew: once when the first is refused, and before each one ends. None is left: the end. */
  async tokens(kit) {
    let asked = 0;
    const getToken = async () => {
      asked += 1;
      if (asked === 1) return 'not.a.token';
      // A third of its time is left when the next one is asked for: more than a busy machine pauses.
      return asked > 3 ? null : kit.act({ token: 'alice', seconds: 12 });
    };
    const { chat, heard } = client(kit, { getToken });
    const { user, expires_in_ms: expires } = await chat.connect();
    const opened = Date.now();
    const answered = [];
    while (Date.now() < opened + 12_700) {
      answered.push(await code(chat.members()));
      await pause(250);
    }
    const opens = heard.phases().filter((phase) => phase === 'open').length;
    await until(() => chat.state.phase === 'closed', 'the last token to end');
    return { user, expires, asked, opens, answered, errors: heard.errors, end: chat.state.code };
  },

  /** Two clients in a group see each other come, speak, type and go. */
  async group(kit) {
    const one = client(kit, { groups: [kit.group] });
    const two = client(kit, { session: `${kit.session}-two` });
    await Promise.all([one.chat.connect(), two.chat.connect()]);
    await until(() => one.chat.groups.includes(kit.group), 'the first to be in');
    const presence = one.chat.presence(kit.group);
    const totals = [];
    one.chat.on('presence', ({ total, members }) => totals.push([total, members.length]));
    await until(() => presence.total === 1, 'the first to be alone');
    const typed = new Promise((resolve) => one.chat.once('typing', resolve));
    await two.chat.join(kit.group);
    await until(() => presence.total === 2, 'the second to be seen');
    const users = presence.members.map(({ user }) => user).sort();
    for (let n = 0; n < 20; n += 1) two.chat.typing(kit.group);
    const typist = (await typed).user;
    const said = [];
    for (let n = 0; n < 10; n += 1) said.push(two.chat.send(`line ${n}`, { group: kit.group, assistant: false, metadata: { n } }));
    await Promise.all(said);
    await until(() => one.heard.messages.length === 10, 'what the second says');
    const tellings = one.heard.frames.filter(({ type }) => type === 'typing').length;
    await two.chat.leave(kit.group);
    await until(() => presence.total === 1 && presence.members.length === 1, 'the second to be gone');
    const refused = await code(two.chat.send('from outside', { group: kit.group, assistant: false }));
    // By another of its windows.
    const window = client(kit, { session: `${kit.session}-two` });
    await window.chat.connect();
    await window.chat.join(kit.group);
    await until(() => two.chat.groups.includes(kit.group), 'the other window to be told');
    for (const { chat } of [one, two, window]) chat.close();
    return { users, typist, tellings, messages: one.heard.messages, refused, totals, names: two.heard.stale };
  },

  /** What was missed is more than the log holds: the history is to be read. */
  async stale(kit) {
    const { chat, heard } = client(kit);
    let shown = [];
    chat.on('stale', async ({ read }) => {
      const { events } = await read();
      shown = events.map(({ message }) => message.text);
    });
    await chat.connect();
    await kit.act({ say: ['seen'], session: kit.session });
    await until(() => heard.messages.length === 1, 'the first message');
    await kit.act('cut');
    await until(() => chat.state.phase !== 'open', 'the cut to be seen');
    await kit.act({ say: Array.from({ length: 8 }, (_, n) => `missed ${n}`), session: kit.session });
    await kit.act('mend');
    await until(() => shown.includes('missed 7'), 'the history to be read');
    chat.close();
    return { stale: heard.stale, shown, messages: heard.messages };
  },

  /** More questions than may be answered at once: one is told so, one waits for its turn. */
  async busy(kit) {
    const { chat, heard } = client(kit);
    await chat.connect();
    const first = await Promise.all([chat.ask('First, at length'), chat.ask('Second, at length')]);
    const told = await code(chat.send('Not now'));
    let delay = '';
    chat.on('sending', ([item]) => (delay ||= item?.delayedBy?.code ?? ''));
    const third = await chat.ask('Third', { wait: true });
    await Promise.all([...first, third].map(({ ended }) => ended));
    const past = (await logged(chat)).filter(({ type }) => type === 'message').map(({ message }) => message.text);
    chat.close();
    return { told, delay, past, states: [...first, third].map(({ state }) => state), errors: heard.errors };
  },

  /** An answer is ended, and asked for anew; a message that is not known has none. */
  async again(kit) {
    const { chat } = client(kit);
    await chat.connect();
    const first = await chat.ask('Tell me of brokers, at length');
    await until(() => first.text.length > 20, 'some of it');
    await chat.cancel(first);
    await first.ended;
    const next = new Promise((resolve) => chat.once('answer', resolve));
    await chat.retry(first.message);
    const second = await next;
    await second.ended;
    const unknown = await code(chat.retry('m-unknown'));
    const odd = await code(chat.command('no.such.command'));
    chat.close();
    return { first: [first.state, first.finishReason], second: second.state, same: second.message === first.message, unknown, odd };
  },

  /** What waits has a bound, can be taken back, and is told when there is no more hope. */
  async bounds(kit) {
    const { chat } = client(kit, { maxQueued: 3, session: kit.session });
    const sent = ['one', 'two', 'three'].map((text) => chat.send(text, { id: text, assistant: false }));
    const more = await code(chat.send('four'));
    const same = chat.send('one again', { id: 'one' }) === sent[0];
    const back = [chat.withdraw('two'), chat.withdraw('five')];
    const taken = await code(sent[1]);
    const large = await code(chat.send('x'.repeat(300_000)));
    await chat.connect();
    await sent[0];
    await sent[2];
    const past = (await logged(chat)).map(({ message }) => message.text);
    chat.close();
    const waiting = client(kit, { url: kit.nowhere });
    const lost = [waiting.chat.connect(), waiting.chat.send('never'), waiting.chat.join('team'), waiting.chat.history()].map(code);
    await until(() => waiting.chat.state.phase === 'waiting', 'the first attempt to fail');
    const { attempt, retryAt } = waiting.chat.state;
    waiting.chat.close();
    let names = 0;
    for (const session of ['', 'a b', 'x'.repeat(65)])
      try {
        new kit.Sophie({ url: kit.url, session });
      } catch (error) {
        names += error instanceof TypeError;
      }
    return { more, same, back, taken, large, past, lost: await Promise.all(lost), attempt, waits: typeof retryAt, names };
  },
};

/** Plays one, with the kit of where it runs. */
export async function play(kit) {
  const act = async (what) => {
    const done = await fetch(kit.control, { method: 'POST', body: JSON.stringify(what) });
    const told = await done.json();
    if (done.status !== 200) throw new Error(`${JSON.stringify(what)}: ${told}`);
    return told;
  };
  try {
    return await scenarios[kit.what]({ ...kit, act });
  } catch (error) {
    return { fault: `${error.stack ?? error}` };
  }
}
