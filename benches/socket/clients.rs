//! The clients of the load: many sockets on one epoll, that are opened in batches, read, and answer pings.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};

use crate::clock::now;
use crate::dialect::{Dialect, Said};
use crate::frame;

/// Handshakes under way at once.
const OPENING: usize = 32;

struct Client {
    stream: mio::net::TcpStream,
    /// The beginning of a frame whose rest has not come.
    kept: Vec<u8>,
}

/// All of them.
pub(crate) struct Clients<'a> {
    dialect: &'a dyn Dialect,
    port: u16,
    poll: Poll,
    events: Events,
    all: Vec<Client>,
    buffer: Vec<u8>,
}

impl<'a> Clients<'a> {
    pub(crate) fn of(dialect: &'a dyn Dialect, port: u16) -> Self {
        let poll = Poll::new().expect("epoll");
        Self { dialect, port, poll, events: Events::with_capacity(1_024), all: Vec::new(), buffer: vec![0; 256 * 1024] }
    }

    pub(crate) fn dialect(&self) -> &'a dyn Dialect {
        self.dialect
    }

    /// Opens more of them, each in the group that `group` names for its number.
    pub(crate) fn open(&mut self, count: usize, group: impl Fn(usize) -> Option<usize>) {
        let (begin, end) = (self.all.len(), self.all.len() + count);
        for first in (begin..end).step_by(OPENING) {
            let batch = first..(first + OPENING).min(end);
            let mut opening: Vec<Opening> = batch
                .clone()
                .map(|client| Opening::begin(self.port, &self.dialect.path(client, group(client))))
                .collect();
            opening.iter_mut().for_each(Opening::upgraded);
            let steps = batch.clone().map(|client| self.dialect.opening(group(client))).collect::<Vec<_>>();
            for step in 0..steps.first().map_or(0, Vec::len) {
                for (opening, steps) in opening.iter_mut().zip(&steps) {
                    if let Some(text) = &steps[step] {
                        opening.write(&frame::from_client(frame::TEXT, text.as_bytes()));
                    }
                }
                opening.iter_mut().for_each(|opening| opening.until_ready(self.dialect));
            }
            opening.into_iter().for_each(|opening| self.add(opening));
            self.turn(Duration::ZERO, |_| {});
        }
    }

    fn add(&mut self, Opening { stream, read }: Opening) {
        stream.set_nonblocking(true).expect("a socket");
        let mut stream = mio::net::TcpStream::from_std(stream);
        let token = Token(self.all.len());
        self.poll.registry().register(&mut stream, token, Interest::READABLE).expect("epoll");
        self.all.push(Client { stream, kept: read });
    }

    /// A client says something.
    pub(crate) fn send(&mut self, client: usize, text: &str) {
        self.all[client].write(&frame::from_client(frame::TEXT, text.as_bytes()));
    }

    /// Reads what there is, after waiting for it at most so long.
    pub(crate) fn turn(&mut self, wait: Duration, mut heard: impl FnMut(Said)) {
        self.poll.poll(&mut self.events, Some(wait)).expect("epoll");
        for event in &self.events {
            let client = &mut self.all[event.token().0];
            loop {
                match client.stream.read(&mut self.buffer) {
                    Ok(0) => panic!("the program closed a connection"),
                    Ok(length) => {
                        client.received(&self.buffer[..length], self.dialect, &mut heard);
                        if length < self.buffer.len() {
                            break;
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("a connection broke: {error}"),
                }
            }
        }
    }

    /// Reads on for so long, whatever comes.
    pub(crate) fn rest(&mut self, time: Duration) {
        let until = now() + time.as_nanos() as u64;
        while now() < until {
            self.turn(Duration::from_millis(20), |_| {});
        }
    }
}

impl Client {
    fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(taken) => bytes = &bytes[taken..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => panic!("a connection broke: {error}"),
            }
        }
    }

    fn received(&mut self, bytes: &[u8], dialect: &dyn Dialect, heard: &mut impl FnMut(Said)) {
        let kept = std::mem::take(&mut self.kept);
        let joined;
        let mut rest = if kept.is_empty() {
            bytes
        } else {
            joined = [&kept, bytes].concat();
            &joined
        };
        while let Some(frame) = frame::first(rest) {
            match frame.opcode {
                frame::TEXT => {
                    if let Some(sign) = dialect.sign_of_life(frame.payload) {
                        self.write(&frame::from_client(frame::TEXT, sign.as_bytes()));
                    }
                    heard(dialect.read(frame.payload));
                }
                frame::PING => self.write(&frame::from_client(frame::PONG, frame.payload)),
                frame::CLOSE => panic!("the program closed: {}", String::from_utf8_lossy(frame.payload)),
                _ => {}
            }
            rest = &rest[frame.length..];
        }
        self.kept = rest.to_vec();
    }
}

/// A connection that is being opened. It waits for each answer.
struct Opening {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Opening {
    fn begin(port: u16, path: &str) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("sent");
        Self { stream, read: Vec::new() }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("sent");
    }

    fn more(&mut self) {
        let mut buffer = [0; 16 * 1024];
        let length = self.stream.read(&mut buffer).expect("an answer within its time");
        assert!(length > 0, "refused: {}", String::from_utf8_lossy(&self.read));
        self.read.extend(&buffer[..length]);
    }

    fn upgraded(&mut self) {
        loop {
            if let Some(end) = self.read.windows(4).position(|it| it == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.read[..end]).into_owned();
                assert!(head.starts_with("HTTP/1.1 101"), "refused: {head}");
                self.read.drain(..end + 4);
                return;
            }
            self.more();
        }
    }

    fn until_ready(&mut self, dialect: &dyn Dialect) {
        loop {
            while let Some(frame) = frame::first(&self.read) {
                let (said, length) = (dialect.read(frame.payload), frame.length);
                self.read.drain(..length);
                if said == Said::Ready {
                    return;
                }
            }
            self.more();
        }
    }
}
