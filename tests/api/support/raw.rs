//! A WebSocket client over a bare TCP connection, for what no well-behaved client does: not to read, not to answer.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::{SOON, described};

/// One connection. It reads only when told to, and never answers a ping or a close.
pub struct RawClient {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// One frame from the server.
#[derive(Debug)]
pub enum RawFrame {
    /// An event.
    Text(Value),
    /// A close frame with its code.
    Close(u16),
    /// Anything else: pings.
    Other,
}

impl RawClient {
    /// Connects with as small a window as the kernel allows and shakes hands; reads nothing beyond that.
    pub async fn open(address: SocketAddr, session: &str) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(2_048).expect("a window");
        let mut stream = socket.connect(address).await.expect("connected");
        // What is sent byte by byte goes byte by byte.
        stream.set_nodelay(true).expect("set");
        let request = format!(
            "GET /ws/chat/{session} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(SOON, stream.read_u8()).await.expect("in time").expect("a response"));
        }
        let head = String::from_utf8(head).expect("text");
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        Self { stream, unread: Vec::new() }
    }

    /// Sends bytes as they are. `false`: the connection has ended.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// Sends nothing more, and reads on.
    pub async fn close_half(&mut self) {
        self.stream.shutdown().await.expect("half closed");
    }

    /// Ends the connection, without a word or with a reset.
    pub fn break_off(self, reset: bool) {
        if reset {
            self.stream.set_zero_linger().expect("set");
        }
    }

    /// A frame's head as a client writes it, with a mask that changes nothing.
    pub fn head(first: u8, payload: u64) -> Vec<u8> {
        let mut head = vec![first];
        match payload {
            0..126 => head.push(0x80 | payload as u8),
            126..0x1_0000 => {
                head.push(0x80 | 126);
                head.extend((payload as u16).to_be_bytes());
            }
            _ => {
                head.push(0x80 | 127);
                head.extend(payload.to_be_bytes());
            }
        }
        head.extend([0; 4]);
        head
    }

    /// A whole frame.
    pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        [Self::head(first, payload.len() as u64), payload.to_vec()].concat()
    }

    /// The next frame; `None` when the connection has ended.
    pub async fn next(&mut self) -> Option<RawFrame> {
        loop {
            if let Some(frame) = self.take_frame() {
                return Some(frame);
            }
            let mut part = vec![0; 64 * 1024];
            match timeout(SOON, self.stream.read(&mut part)).await.expect("a frame or an end in time") {
                Ok(0) | Err(_) => return None,
                Ok(read) => self.unread.extend_from_slice(&part[..read]),
            }
        }
    }

    /// Reads on until the connection ends; the events and the close code, if one came. Answers nothing meanwhile.
    pub async fn until_ended(&mut self) -> (Vec<Value>, Option<u16>) {
        let (mut events, mut code) = (Vec::new(), None);
        while let Some(frame) = self.next().await {
            match frame {
                RawFrame::Text(event) => events.push(event),
                RawFrame::Close(with) => code = Some(with),
                RawFrame::Other => {}
            }
        }
        (events, code)
    }

    /// One whole frame of what has been read (the server never masks and, here, never fragments).
    fn take_frame(&mut self) -> Option<RawFrame> {
        let [first, second, ..] = *self.unread.as_slice() else { return None };
        let (length, start) = match second {
            126 => (usize::from(u16::from_be_bytes(self.unread.get(2..4)?.try_into().ok()?)), 4),
            127 => (u64::from_be_bytes(self.unread.get(2..10)?.try_into().ok()?) as usize, 10),
            short => (usize::from(short), 2),
        };
        let payload = self.unread.get(start..start + length)?.to_vec();
        self.unread.drain(..start + length);
        Some(match first & 0x0f {
            1 => {
                let event = serde_json::from_slice(&payload).expect("JSON");
                described::frame("sophie", &event);
                RawFrame::Text(event)
            }
            8 => RawFrame::Close(u16::from_be_bytes(payload[..2].try_into().expect("a code"))),
            _ => RawFrame::Other,
        })
    }
}
