//! The AI backend of the bench: it answers each question with tokens at a steady rate, and notes when each was sent.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{SECOND, now};
use crate::dialect::token;

/// Tokens a second.
pub(crate) const RATE: u64 = 500;
/// Tokens of an answer.
pub(crate) const COUNT: usize = 2_000;

/// When each token was sent.
#[derive(Clone)]
pub(crate) struct Sent(Arc<Vec<AtomicU64>>);

impl Sent {
    pub(crate) fn new() -> Self {
        Self(Arc::new((0..COUNT).map(|_| AtomicU64::new(0)).collect()))
    }

    pub(crate) fn note(&self, token: usize) {
        self.0[token].store(now(), Ordering::Relaxed);
    }

    pub(crate) fn at(&self, token: usize) -> u64 {
        self.0.get(token).map_or(0, |at| at.load(Ordering::Relaxed))
    }
}

/// Serves for ever, on a thread of its own; returns its port.
pub(crate) fn serve(sent: Sent) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let sent = sent.clone();
            // A caller that goes away ends the answer.
            std::thread::spawn(move || stream.and_then(|stream| answer(stream, &sent)));
        }
    });
    port
}

fn answer(mut stream: TcpStream, sent: &Sent) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 64 * 1024];
    let mut read = Vec::new();
    // A question is one JSON object: its last brace ends it.
    while !(read.ends_with(b"}") && read.windows(4).any(|it| it == b"\r\n\r\n")) {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        read.extend(&buffer[..length]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")?;
    let began = now();
    for number in 0..COUNT {
        let due = began + number as u64 * SECOND / RATE;
        std::thread::sleep(Duration::from_nanos(due.saturating_sub(now())));
        let text = token(number);
        sent.note(number);
        stream.write_all(piece(&format!("{{\"content\":\"{text}\"}}"), "null").as_bytes())?;
    }
    stream.write_all(piece("{}", "\"stop\"").as_bytes())?;
    stream.write_all(b"data: [DONE]\n\n")
}

fn piece(delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\
         \"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    )
}
