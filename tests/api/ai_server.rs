//! An AI server that misbehaves on request.
//!
//! It speaks raw HTTP/1.1 over TCP, so that it can be wrong in every way in which real ones are. Each call to
//! `POST …/chat/completions` takes the next [`Script`] from the queue, or the default one if the queue is empty; calls are
//! counted from 0 in the order of their arrival.
//!
//! ```ignore
//! let ai = AiServer::start().await;
//! ai.push(Script::answer("Hello there."));
//! // … ai.base_url() goes into `ai.base_url` …
//! let (script, gate) = Script::gated();
//! ai.push(script);
//! // … ask …
//! gate.word("one ");
//! ai.wait_cancelled(1, Duration::from_secs(2)).await;
//! assert_eq!(ai.calls(), 2);
//! ```
//!
//! `GET …/models` is answered with one model, or those of [`AiServer::set_models`], and is not a call.

#![allow(dead_code, reason = "a kit: not every test needs all of it")]

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// How long a write may make no headway before the call counts as stalled.
const STALL: Duration = Duration::from_millis(500);

/// What became of one call.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// The path with its query.
    pub path: String,
    /// By lower-case name.
    pub headers: HashMap<String, String>,
    /// The body, `null` if it was not JSON.
    pub body: Value,
    /// The body as it came.
    pub text: String,
    /// Which connection it came over, counted from 0.
    pub connection: usize,
    /// When it had arrived.
    pub at: Option<tokio::time::Instant>,
    /// Bytes of the response that the network took.
    pub sent: usize,
    /// The script was played to its end.
    pub finished: bool,
    /// The client closed the connection before that.
    pub cancelled: bool,
    /// The client did not read for half a second while there was something to write.
    pub stalled: bool,
}

/// One move of a script.
enum Step {
    /// Writes these bytes at once.
    Write(Vec<u8>),
    Pause(Duration),
    /// Writes the same bytes so many times.
    Repeat(Vec<u8>, usize),
    /// Plays what the gate sends until the gate is dropped.
    Gate(mpsc::UnboundedReceiver<Step>),
    /// Does nothing until the client goes.
    Hang,
    /// The response has been ended: the connection is good for another.
    End,
    /// Closes the connection.
    Close,
}

/// What the server does with one call.
pub struct Script(VecDeque<Step>);

impl Script {
    // ---- good answers

    /// A good stream: role, one chunk a word, finish reason, usage, `[DONE]`.
    pub fn answer(text: &str) -> Self {
        Self::slow_answer(text, Duration::ZERO)
    }

    /// The same with a pause before each word.
    pub fn slow_answer(text: &str, pause: Duration) -> Self {
        let mut script = Self::stream().event(&role());
        for piece in words(text) {
            script = script.pause(pause).event(&word(&piece));
        }
        script.event(&finish("stop")).event(&usage(7, 5)).done()
    }

    /// A good answer as one JSON body (200 `application/json`).
    pub fn whole(text: &str) -> Self {
        let body = json!({
            "id": "chatcmpl-whole", "object": "chat.completion", "created": 1, "model": "test-model",
            "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12 },
        });
        Self::respond(200, &[("content-type", "application/json")], &body.to_string())
    }

    /// A good stream with one chunk whose text is so many bytes long.
    pub fn huge(bytes: usize) -> Self {
        Self::stream().event(&word(&"x".repeat(bytes))).event(&finish("stop")).done()
    }

    /// A good stream whose bytes come one at a time, with a pause before each.
    pub fn drip(text: &str, pause: Duration) -> Self {
        let mut script = Self::stream();
        let whole =
            [word(text), finish("stop")].map(|chunk| format!("data: {chunk}\n\n")).concat() + "data: [DONE]\n\n";
        for byte in whole.bytes() {
            script = script.pause(pause).piece([byte]);
        }
        script.end()
    }

    /// A stream that the test releases step by step.
    pub fn gated() -> (Self, Gate) {
        let (steps, gate) = mpsc::unbounded_channel();
        let mut script = Self::stream();
        script.0.push_back(Step::Gate(gate));
        (script, Gate { steps })
    }

    // ---- bad ones

    /// Never answers.
    pub fn silent() -> Self {
        Self(VecDeque::new()).hang()
    }

    /// Sends the headers of a stream and nothing more.
    pub fn silent_after_headers() -> Self {
        Self::stream().hang()
    }

    /// Begins an answer and falls silent.
    pub fn silent_after(text: &str) -> Self {
        Self::begun(text).hang()
    }

    /// Closes the connection without a response.
    pub fn hang_up() -> Self {
        Self(VecDeque::new()).close()
    }

    /// Begins an answer and breaks the connection.
    pub fn broken_after(text: &str) -> Self {
        Self::begun(text).close()
    }

    /// Ends the response properly in the middle of the answer: neither finish reason nor `[DONE]`.
    pub fn ended_after(text: &str) -> Self {
        Self::begun(text).end()
    }

    /// A good answer but for its missing `[DONE]`.
    pub fn without_done(text: &str) -> Self {
        Self::begun(text).event(&finish("stop")).end()
    }

    /// A good answer but for its missing finish reason.
    pub fn without_finish_reason(text: &str) -> Self {
        Self::begun(text).done()
    }

    /// Begins an answer (not with an empty `text`), then sends an error object inside the stream.
    pub fn error_after(text: &str, error: Value) -> Self {
        let script = if text.is_empty() { Self::stream() } else { Self::begun(text) };
        script.event(&json!({ "error": error }).to_string()).end()
    }

    /// A refusal with OpenAI's error object.
    pub fn refusal(status: u16, kind: &str, code: &str, headers: &[(&str, &str)]) -> Self {
        let error = json!({ "error": { "message": "refused by the test", "type": kind, "code": code, "param": null } });
        let headers: Vec<_> = [("content-type", "application/json")].iter().chain(headers).copied().collect();
        Self::respond(status, &headers, &error.to_string())
    }

    /// Chunks of so many bytes, so many times, as quickly as the client takes them; then a good end.
    pub fn flood(bytes: usize, times: usize) -> Self {
        let mut script = Self::stream();
        script
            .0
            .push_back(Step::Repeat(http_chunk(format!("data: {}\n\n", word(&"x".repeat(bytes))).as_bytes()), times));
        script.event(&finish("stop")).done()
    }

    // ---- made by hand

    /// Any whole response.
    pub fn respond(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let mut text = format!("HTTP/1.1 {status} Test\r\ncontent-length: {}\r\n", body.len());
        headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
        Self::raw([format!("{text}\r\n{body}")])
    }

    /// Exactly these bytes, head included, each piece written by itself. Then the connection stays open: see `close`.
    pub fn raw(pieces: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Self {
        Self(pieces.into_iter().map(|piece| Step::Write(piece.into())).collect())
    }

    /// The head of a stream. Its pieces follow as HTTP chunks, which the client's HTTP library hands on one by one.
    pub fn stream() -> Self {
        Self::raw([
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n",
        ])
    }

    /// A stream of exactly these pieces, ended properly.
    pub fn pieces(pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        pieces.into_iter().fold(Self::stream(), Self::piece).end()
    }

    fn begun(text: &str) -> Self {
        words(text).iter().fold(Self::stream().event(&role()), |script, piece| script.event(&word(piece)))
    }

    /// Then: a piece of a stream's body (of one made by [`Script::stream`]).
    pub fn piece(self, bytes: impl AsRef<[u8]>) -> Self {
        self.then(Step::Write(http_chunk(bytes.as_ref())))
    }

    /// Then: one `data:` line.
    pub fn event(self, data: &str) -> Self {
        self.piece(format!("data: {data}\n\n"))
    }

    /// Then: `[DONE]` and the proper end.
    pub fn done(self) -> Self {
        self.event("[DONE]").end()
    }

    /// Then: the proper end of the response.
    pub fn end(self) -> Self {
        self.then(Step::Write(b"0\r\n\r\n".to_vec()))
    }

    /// Then: a pause.
    pub fn pause(self, pause: Duration) -> Self {
        if pause.is_zero() { self } else { self.then(Step::Pause(pause)) }
    }

    /// Then: nothing until the client goes.
    pub fn hang(self) -> Self {
        self.then(Step::Hang)
    }

    /// Then: the connection is closed.
    pub fn close(self) -> Self {
        self.then(Step::Close)
    }

    fn then(mut self, step: Step) -> Self {
        self.0.push_back(step);
        self
    }
}

/// Releases a stream step by step. Dropped without an end, it breaks the connection.
pub struct Gate {
    steps: mpsc::UnboundedSender<Step>,
}

impl Gate {
    /// Sends a chunk with this text.
    pub fn word(&self, text: &str) {
        self.data(&word(text));
    }

    /// Sends any `data:` line.
    pub fn data(&self, data: &str) {
        self.send(Step::Write(http_chunk(format!("data: {data}\n\n").as_bytes())));
    }

    /// Ends the answer well: finish reason, usage, `[DONE]`.
    pub fn finish(self) {
        self.data(&finish("stop"));
        self.data(&usage(7, 5));
        self.data("[DONE]");
        self.end();
    }

    /// Ends the response properly as it is.
    pub fn end(self) {
        self.send(Step::Write(b"0\r\n\r\n".to_vec()));
        self.send(Step::End);
    }

    /// Breaks the connection.
    pub fn cut(self) {}

    fn send(&self, step: Step) {
        // The call may have been cancelled; then nobody waits for the step.
        let _ = self.steps.send(step);
    }
}

/// The JSON of a chunk with the assistant's role.
pub fn role() -> String {
    chunk(json!([{ "index": 0, "delta": { "role": "assistant", "content": "" }, "finish_reason": null }]), Value::Null)
}

/// The JSON of a chunk with text.
pub fn word(text: &str) -> String {
    chunk(json!([{ "index": 0, "delta": { "content": text }, "finish_reason": null }]), Value::Null)
}

/// The JSON of the chunk that ends choice 0.
pub fn finish(reason: &str) -> String {
    chunk(json!([{ "index": 0, "delta": {}, "finish_reason": reason }]), Value::Null)
}

/// The JSON of the usage chunk.
pub fn usage(prompt: u64, completion: u64) -> String {
    let usage =
        json!({ "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion });
    chunk(json!([]), usage)
}

fn chunk(choices: Value, usage: Value) -> String {
    json!({
        "id": "chatcmpl-test", "object": "chat.completion.chunk", "created": 1, "model": "test-model",
        "choices": choices, "usage": usage,
    })
    .to_string()
}

fn words(text: &str) -> Vec<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

fn http_chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

struct Scripts {
    queue: VecDeque<Script>,
    default: Box<dyn Fn() -> Script + Send>,
}

/// Where one call writes down what becomes of it.
struct Ledger {
    calls: Arc<watch::Sender<Vec<Call>>>,
    n: usize,
}

impl Ledger {
    fn open(state: &State, call: Call) -> Self {
        let mut n = 0;
        state.calls.send_modify(|calls| {
            n = calls.len();
            calls.push(call);
        });
        Self { calls: Arc::clone(&state.calls), n }
    }

    fn note(&self, change: impl FnOnce(&mut Call)) {
        self.calls.send_modify(|calls| change(&mut calls[self.n]));
    }
}

/// The models that are listed, and how often they were asked for.
struct Models {
    names: Vec<String>,
    asked: usize,
}

#[derive(Clone)]
struct State {
    models: Arc<Mutex<Models>>,
    scripts: Arc<Mutex<Scripts>>,
    calls: Arc<watch::Sender<Vec<Call>>>,
}

/// The server. It ends when it is dropped.
pub struct AiServer {
    address: SocketAddr,
    state: State,
    listening: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl AiServer {
    /// Listens on a port of its own. By default each call gets a short good answer.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let scripts = Scripts { queue: VecDeque::new(), default: Box::new(|| Script::answer("Hello from the test.")) };
        let models = Models { names: vec!["test-model".into()], asked: 0 };
        let state = State {
            models: Arc::new(Mutex::new(models)),
            scripts: Arc::new(Mutex::new(scripts)),
            calls: Arc::new(watch::Sender::new(vec![])),
        };
        let address = listener.local_addr().expect("an address");
        let listening = Mutex::new(Some(tokio::spawn(listen(listener, state.clone()))));
        Self { address, state, listening }
    }

    /// What goes into `ai.base_url`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Which models it lists.
    pub fn set_models(&self, names: &[&str]) {
        self.state.models.lock().expect("whole").names = names.iter().map(|name| (*name).to_owned()).collect();
    }

    /// How often its models were asked for.
    pub fn models_asked(&self) -> usize {
        self.state.models.lock().expect("whole").asked
    }

    /// Queues a script for one call.
    pub fn push(&self, script: Script) {
        self.state.scripts.lock().expect("whole").queue.push_back(script);
    }

    /// What calls get when the queue is empty.
    pub fn set_default(&self, script: impl Fn() -> Script + Send + 'static) {
        self.state.scripts.lock().expect("whole").default = Box::new(script);
    }

    /// Refuses connections, and breaks those that there are, until [`AiServer::accept`].
    pub async fn refuse(&self) {
        let listening = self.listening.lock().expect("whole").take();
        if let Some(listening) = listening {
            listening.abort();
            // Only when the task is gone is its listener.
            let _ = listening.await;
        }
    }

    /// Listens again, on the same port.
    pub async fn accept(&self) {
        let listener = TcpListener::bind(self.address).await.expect("the same port");
        let old = self.listening.lock().expect("whole").replace(tokio::spawn(listen(listener, self.state.clone())));
        assert!(old.is_none(), "it was listening");
    }

    /// How many calls there were.
    pub fn calls(&self) -> usize {
        self.state.calls.borrow().len()
    }

    /// A call as it stands.
    pub fn call(&self, n: usize) -> Call {
        self.state.calls.borrow().get(n).cloned().unwrap_or_else(|| panic!("there was no call {n}"))
    }

    /// Waits until there were so many calls.
    pub async fn wait_calls(&self, count: usize, within: Duration) {
        self.wait(&format!("{count} calls"), within, |calls| calls.len() >= count).await;
    }

    /// Waits until the client has closed the connection of call `n` before its script was through.
    pub async fn wait_cancelled(&self, n: usize, within: Duration) {
        self.wait(&format!("call {n} cancelled"), within, |calls| calls.get(n).is_some_and(|it| it.cancelled)).await;
    }

    /// Waits until the script of call `n` was played to its end.
    pub async fn wait_finished(&self, n: usize, within: Duration) {
        self.wait(&format!("call {n} finished"), within, |calls| calls.get(n).is_some_and(|it| it.finished)).await;
    }

    /// Waits until something holds for the calls; panics with `what` if it takes too long.
    pub async fn wait(&self, what: &str, within: Duration, holds: impl Fn(&[Call]) -> bool) {
        let mut calls = self.state.calls.subscribe();
        let waited = tokio::time::timeout(within, calls.wait_for(|calls| holds(calls))).await;
        assert!(waited.is_ok(), "waited {within:?} in vain for: {what}; there were {:#?}", self.state.calls.borrow());
    }
}

impl Drop for AiServer {
    fn drop(&mut self) {
        if let Some(listening) = self.listening.lock().expect("whole").take() {
            listening.abort();
        }
    }
}

/// Owns its connections: they end with it.
async fn listen(listener: TcpListener, state: State) {
    let mut connections = JoinSet::new();
    let mut count = 0;
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(serve(stream, count, state.clone()));
                count += 1;
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, connection: usize, state: State) {
    stream.set_nodelay(true).expect("a TCP socket");
    let (mut input, mut output) = stream.into_split();
    let mut unread = vec![];
    while let Some(call) = receive(&mut input, &mut unread).await {
        if !call.path.contains("/chat/completions") {
            let models = {
                let mut models = state.models.lock().expect("whole");
                models.asked += 1;
                let object = |name| json!({ "id": name, "object": "model", "owned_by": "test" });
                json!({ "object": "list", "data": models.names.iter().map(object).collect::<Vec<_>>() })
            };
            let Script(steps) = Script::respond(200, &[("content-type", "application/json")], &models.to_string());
            for step in steps {
                let Step::Write(bytes) = step else { continue };
                if output.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            continue;
        }
        let script = {
            let mut scripts = state.scripts.lock().expect("whole");
            scripts.queue.pop_front().unwrap_or_else(|| (scripts.default)())
        };
        let ledger = Ledger::open(&state, Call { connection, ..call });
        let played = tokio::select! {
            played = play(script, &mut output, &ledger) => played,
            () = gone(&mut input, &mut unread) => None,
        };
        ledger.note(|call| match played {
            Some(_) => call.finished = true,
            None => call.cancelled = true,
        });
        if played != Some(true) {
            return;
        }
    }
}

/// Reads one request; `None` when the client is through.
async fn receive(input: &mut OwnedReadHalf, unread: &mut Vec<u8>) -> Option<Call> {
    let head_end = loop {
        if let Some(at) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if input.read_buf(unread).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&unread[..head_end]).into_owned();
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: HashMap<_, _> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while unread.len() < head_end + length {
        if input.read_buf(unread).await.ok()? == 0 {
            return None;
        }
    }
    let body = serde_json::from_slice(&unread[head_end..head_end + length]).unwrap_or_default();
    let text = String::from_utf8_lossy(&unread[head_end..head_end + length]).into_owned();
    unread.drain(..head_end + length);
    Some(Call { path, headers, body, text, at: Some(tokio::time::Instant::now()), ..Call::default() })
}

/// Returns when the client has closed its side; keeps what it sent before.
async fn gone(input: &mut OwnedReadHalf, unread: &mut Vec<u8>) {
    while matches!(input.read_buf(unread).await, Ok(count) if count > 0) {}
}

/// Plays a script: `Some(whether the connection stays open)` at its end, `None` if the client left.
async fn play(script: Script, output: &mut OwnedWriteHalf, ledger: &Ledger) -> Option<bool> {
    let mut gate: Option<mpsc::UnboundedReceiver<Step>> = None;
    let Script(mut steps) = script;
    loop {
        let step = match &mut gate {
            None => match steps.pop_front() {
                Some(step) => step,
                None => return Some(true),
            },
            Some(released) => released.recv().await.unwrap_or(Step::Close),
        };
        match step {
            Step::Write(bytes) => write(&bytes, output, ledger).await?,
            Step::Repeat(bytes, times) => {
                for _ in 0..times {
                    write(&bytes, output, ledger).await?;
                }
            }
            Step::Pause(pause) => tokio::time::sleep(pause).await,
            Step::Gate(released) => gate = Some(released),
            Step::Hang => std::future::pending().await,
            Step::End => return Some(true),
            Step::Close => return Some(false),
        }
    }
}

async fn write(mut bytes: &[u8], output: &mut OwnedWriteHalf, ledger: &Ledger) -> Option<()> {
    while !bytes.is_empty() {
        let written = match tokio::time::timeout(STALL, output.write(bytes)).await {
            Ok(written) => written.ok()?,
            Err(_) => {
                ledger.note(|call| call.stalled = true);
                output.write(bytes).await.ok()?
            }
        };
        ledger.note(|call| call.sent += written);
        bytes = &bytes[written..];
    }
    Some(())
}
