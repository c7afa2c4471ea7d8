//! A client of the AI SDK's chats over a WebSocket, which checks all that it is told.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::{SOON, described};

/// One connection.
pub struct ChatSocket {
    /// What carries it.
    pub stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The number of the next chunk of each request.
    next: HashMap<String, u64>,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// Its chunks.
    pub chunks: Vec<Value>,
    /// Its last frame.
    pub last: Value,
}

impl Answered {
    /// Its text.
    pub fn text(&self) -> String {
        let deltas = self.chunks.iter().filter(|chunk| chunk["type"] == "text-delta");
        deltas.filter_map(|chunk| chunk["delta"].as_str()).collect()
    }
}

/// A message of the user.
pub fn user(id: &str, text: &str) -> Value {
    json!({"id": id, "role": "user", "parts": [{"type": "text", "text": text}]})
}

/// A frame that asks.
pub fn send(request: &str, chat: &str, id: &str, text: &str) -> Value {
    json!({
        "type": "send", "requestId": request, "id": chat, "trigger": "submit-message",
        "messages": [user(id, text)], "headers": {}, "body": {},
    })
}

/// A frame that resumes.
pub fn resume(request: &str, chat: &str) -> Value {
    json!({"type": "resume", "requestId": request, "id": chat, "headers": {}, "body": {}})
}

/// A frame that aborts.
pub fn abort(request: &str) -> Value {
    json!({"type": "abort", "requestId": request})
}

impl ChatSocket {
    /// Connects to the usual address.
    pub async fn open(address: SocketAddr) -> Self {
        Self::try_open(address, "/api/chat").await.expect("connected")
    }

    /// Connects, or the status of the refusal.
    pub async fn try_open(address: SocketAddr, path: &str) -> Result<Self, u16> {
        match tokio_tungstenite::connect_async(format!("ws://{address}{path}")).await {
            Ok((stream, _)) => Ok(Self { stream, next: HashMap::new() }),
            Err(Error::Http(refused)) => Err(refused.status().as_u16()),
            Err(error) => panic!("not connected: {error:?}"),
        }
    }

    /// The chunks of a request are to be counted from another number than 0.
    pub fn counts_from(&mut self, request: &str, first: u64) {
        self.next.insert(request.to_owned(), first);
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &Value) {
        self.send_text(&frame.to_string()).await;
    }

    /// Sends a text as it is.
    pub async fn send_text(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.expect("sent");
    }

    /// The next frame, or the close code. Whatever a client would close for is no frame.
    pub async fn next(&mut self) -> Result<Value, Option<u16>> {
        loop {
            let frame = match timeout(SOON, self.stream.next()).await.expect("a frame in time") {
                Some(Ok(Message::Text(text))) => serde_json::from_str::<Value>(&text).expect("JSON"),
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return Err(None),
            };
            described::frame("ai-sdk", &frame);
            let request = frame["requestId"].as_str().expect("a frame of a request").to_owned();
            match frame["type"].as_str() {
                Some("chunk") => {
                    let next = self.next.entry(request).or_default();
                    assert_eq!(frame["sequence"], *next, "{frame}");
                    *next += 1;
                }
                Some("start" | "end" | "error" | "no-active") => {}
                other => panic!("{other:?} is none of the client's words: {frame}"),
            }
            return Ok(frame);
        }
    }

    /// All of one request, to its end; those of others are passed over.
    pub async fn answered(&mut self, request: &str) -> Answered {
        let mut chunks = Vec::new();
        loop {
            let frame = self.next().await.expect("a frame, not a close");
            if frame["requestId"] != request {
                continue;
            }
            match frame["type"].as_str() {
                Some("chunk") => chunks.push(frame["chunk"].clone()),
                Some("start") => {}
                _ => return Answered { chunks, last: frame },
            }
        }
    }

    /// Asks, and waits for the answer's end.
    pub async fn ask(&mut self, request: &str, chat: &str, id: &str, text: &str) -> Answered {
        self.send(&send(request, chat, id, text)).await;
        self.answered(request).await
    }

    /// Waits for a piece of text of a request.
    pub async fn word(&mut self, request: &str) -> String {
        loop {
            let frame = self.next().await.expect("a frame, not a close");
            if frame["requestId"] == request && frame["chunk"]["type"] == "text-delta" {
                return frame["chunk"]["delta"].as_str().expect("a text").to_owned();
            }
        }
    }

    /// Nothing comes for a while.
    pub async fn is_quiet_for(&mut self, while_: Duration) {
        if let Ok(frame) = timeout(while_, self.next()).await {
            panic!("{frame:?}");
        }
    }

    /// The close code, behind whatever else comes.
    pub async fn closed(&mut self) -> Option<u16> {
        loop {
            if let Err(code) = self.next().await {
                return code;
            }
        }
    }

    /// The number of its close, which may come later than other frames do.
    pub async fn closed_within(&mut self, limit: Duration) -> Option<u16> {
        let closed = async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return None,
                }
            }
        };
        timeout(limit, closed).await.expect("a close in time")
    }
}
