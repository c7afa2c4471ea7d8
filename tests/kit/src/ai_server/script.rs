//! What the server does with one call, move by move.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::chunks::{finish, http_chunk, role, usage, word, words};
use super::gate::Gate;

/// One move of a script.
pub(super) enum Step {
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
pub struct Script(pub(super) VecDeque<Step>);

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

    /// An embedding for each input, in the format that was asked for: its place, and a half.
    pub fn embeddings(asked: &Value) -> Self {
        let inputs = asked["input"].as_array().filter(|inputs| !inputs[0].is_number()).map_or(1, Vec::len);
        let embedding = |index: usize| match asked["encoding_format"] == "base64" {
            // A half alone, as 32 bits.
            true => json!("AAAAPw=="),
            false => json!([index, 0.5]),
        };
        let one = |index| json!({ "object": "embedding", "index": index, "embedding": embedding(index) });
        let body = json!({
            "object": "list", "data": (0..inputs).map(one).collect::<Vec<_>>(), "model": asked["model"],
            "usage": { "prompt_tokens": 9, "total_tokens": 9 },
        });
        Self::respond(200, &[("content-type", "application/json")], &body.to_string())
    }

    /// The same as another script after a silence.
    pub fn silent_for(silence: Duration, then: Self) -> Self {
        let mut script = Self(VecDeque::new()).pause(silence);
        script.0.extend(then.0);
        script
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
