//! A WebSocket handshake by hand: every header is the test's own, and a refusal can be read.

use std::collections::HashMap;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::{SOON, TestSocket, described};

/// What the server answered.
pub struct Handshake {
    /// 101 if the connection is a WebSocket now.
    pub status: u16,
    /// By lower-case name.
    pub headers: HashMap<String, String>,
    body: String,
    stream: TcpStream,
}

impl Handshake {
    /// Asks for `path` with these headers on top of those that every handshake needs.
    pub async fn with(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        let mut head = format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        stream.write_all(format!("{head}\r\n").as_bytes()).await.expect("sent");
        let answered = timeout(SOON, Self::read(stream)).await.expect("an answer in time");
        described::whole("GET", path, answered.status, &answered.pairs(), answered.body.as_bytes());
        answered
    }

    fn pairs(&self) -> Vec<(&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    async fn read(mut stream: TcpStream) -> Self {
        let mut head = Vec::new();
        // Byte by byte, so that nothing of the first frame is taken.
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a whole head"));
        }
        let head = String::from_utf8(head).expect("text");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status").parse().expect("a number");
        let headers: HashMap<_, _> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut body = vec![0; headers.get("content-length").map_or(0, |length| length.parse().expect("a number"))];
        stream.read_exact(&mut body).await.expect("a whole body");
        Self { status, headers, body: String::from_utf8(body).expect("text"), stream }
    }

    /// The refusal: status, code, and whether `Retry-After` asks for at least a second. Its body must have the form of all.
    pub fn refusal(&self) -> (u16, String, bool) {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body));
        assert!(self.headers["content-type"].starts_with("application/json"));
        assert!(body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
        let retry = self.headers.get("retry-after").and_then(|value| value.parse::<u64>().ok());
        let code = body["error"]["code"].as_str().expect("a code").to_owned();
        (self.status, code, retry.is_some_and(|seconds| seconds >= 1))
    }

    /// What a refusal says.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The subprotocol that was agreed on.
    pub fn protocol(&self) -> Option<&str> {
        self.headers.get("sec-websocket-protocol").map(String::as_str)
    }

    /// The connection, after its `session.ready`.
    pub async fn socket(self) -> TestSocket {
        assert_eq!(self.status, 101, "{}", self.body);
        let stream = WebSocketStream::from_raw_socket(MaybeTlsStream::Plain(self.stream), Role::Client, None).await;
        let mut socket = TestSocket { stream, ready: Value::Null };
        socket.ready = socket.event().await;
        assert_eq!(socket.ready["type"], "session.ready", "{}", socket.ready);
        socket
    }
}
