//! A WebSocket client that reads events with a deadline.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::{SOON, described};

/// One connection.
pub struct TestSocket {
    /// What carries it.
    pub stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Its `session.ready`.
    pub ready: Value,
}

/// How a connection ended: the close code, if one came.
pub type Ended = Option<u16>;

impl TestSocket {
    /// The request that opens a session's socket, to be changed at will.
    pub fn request(address: SocketAddr, session: &str, query: &str) -> Request {
        let url = format!("ws://{address}/ws/chat/{session}{query}");
        let mut request = url.into_client_request().expect("a good URL");
        request.headers_mut().insert("sec-websocket-protocol", "sophie.v1".parse().expect("a value"));
        request
    }

    /// Connects and waits for `session.ready`.
    pub async fn open(address: SocketAddr, session: &str, query: &str) -> Self {
        Self::open_by(Self::request(address, session, query)).await
    }

    /// Connects by a request of one's own and waits for `session.ready`.
    pub async fn open_by(request: Request) -> Self {
        let until = tokio::time::Instant::now() + SOON;
        let stream = loop {
            match tokio_tungstenite::connect_async(request.clone()).await {
                Ok((stream, _)) => break stream,
                // On a busy machine Redis may take longer than the 100 ms that it is given: clients come again.
                Err(Error::Http(refused)) if is_store_away(&refused) && tokio::time::Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => panic!("not connected: {error:?}"),
            }
        };
        let mut socket = Self { stream, ready: Value::Null };
        socket.ready = socket.event().await;
        assert_eq!(socket.ready["type"], "session.ready", "{}", socket.ready);
        socket
    }

    /// Connects if that can be done now, and waits for `session.ready`.
    pub async fn try_open(request: Request) -> Option<Self> {
        let (stream, _) = tokio_tungstenite::connect_async(request).await.ok()?;
        let mut socket = Self { stream, ready: Value::Null };
        socket.ready = socket.next().await.ok().filter(|ready| ready["type"] == "session.ready")?;
        Some(socket)
    }

    /// Sends a command; `false`: the connection has ended.
    pub async fn try_send(&mut self, command: Value) -> bool {
        self.stream.send(Message::text(command.to_string())).await.is_ok()
    }

    /// Sends a command.
    pub async fn send(&mut self, command: Value) {
        self.send_text(&command.to_string()).await;
    }

    /// Sends a text frame.
    pub async fn send_text(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.expect("sent");
    }

    /// The next event.
    pub async fn event(&mut self) -> Value {
        self.next().await.expect("an event, not a close")
    }

    /// The next event, for which there is more time than for most.
    pub async fn event_within(&mut self, within: Duration) -> Value {
        self.next_within(within).await.expect("an event, not a close")
    }

    /// The next event, or the close code.
    pub async fn next(&mut self) -> Result<Value, Ended> {
        self.next_within(SOON).await
    }

    async fn next_within(&mut self, within: Duration) -> Result<Value, Ended> {
        loop {
            match timeout(within, self.stream.next()).await.expect("an event in time") {
                Some(Ok(Message::Text(text))) => {
                    let event = serde_json::from_str(&text).expect("JSON");
                    described::frame("sophie", &event);
                    return Ok(event);
                }
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// The next event of a type; others are passed over.
    pub async fn event_of(&mut self, kind: &str) -> Value {
        loop {
            let event = self.event().await;
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// The event that answers a command; others are passed over.
    pub async fn reply(&mut self, id: &str) -> Value {
        loop {
            let event = self.event().await;
            if event["id"] == id {
                return event;
            }
        }
    }

    /// Sends a command with an id and returns its reply.
    pub async fn ask(&mut self, id: &str, mut command: Value) -> Value {
        command["id"] = id.into();
        self.send(command).await;
        self.reply(id).await
    }

    /// Sends a command with an id; returns its reply and an event of a type, whichever of the two comes first.
    pub async fn ask_for(&mut self, id: &str, mut command: Value, kind: &str) -> (Value, Value) {
        command["id"] = id.into();
        self.send(command).await;
        let (mut reply, mut wanted) = (None, None);
        loop {
            let event = self.event().await;
            if event["id"] == id {
                reply = Some(event);
            } else if event["type"] == kind {
                wanted = Some(event);
            }
            (reply, wanted) = match (reply, wanted) {
                (Some(reply), Some(wanted)) => return (reply, wanted),
                missing => missing,
            };
        }
    }

    /// Says something that the assistant does not answer; returns the reply.
    pub async fn say(&mut self, id: &str, text: &str) -> Value {
        self.ask(id, json!({"type": "message.send", "text": text, "assistant": false})).await
    }

    /// Says something with the same id until it is confirmed, as a client does whose store is away for a moment; returns
    /// the acknowledgement.
    pub async fn insist(&mut self, id: &str, text: &str) -> Value {
        self.insist_on(id, json!({"type": "message.send", "text": text, "assistant": false})).await
    }

    /// [`Self::ask`], again and again while the store does not confirm it.
    pub async fn insist_on(&mut self, id: &str, command: Value) -> Value {
        let until = tokio::time::Instant::now() + 2 * SOON;
        loop {
            let reply = self.ask(id, command.clone()).await;
            if reply["code"] != "store_unavailable" {
                return reply;
            }
            assert!(tokio::time::Instant::now() < until, "never confirmed: {reply}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Everything until the connection ends: the events and the close code.
    pub async fn until_closed(&mut self) -> (Vec<Value>, Ended) {
        let mut events = Vec::new();
        loop {
            match self.next().await {
                Ok(event) => events.push(event),
                Err(ended) => return (events, ended),
            }
        }
    }

    /// Every event that is on its way already: a ping's pong comes after them.
    pub async fn settled(&mut self) -> Vec<Value> {
        self.send(json!({"type": "ping", "id": "settled"})).await;
        let mut events = Vec::new();
        loop {
            let event = self.event().await;
            if event["id"] == "settled" {
                return events;
            }
            events.push(event);
        }
    }

    /// Sends a frame as it is, legal or not.
    pub async fn send_frame(&mut self, opcode: OpCode, last: bool, payload: impl Into<Bytes>) {
        let frame = Frame::message(payload.into(), opcode, last);
        self.stream.send(Message::Frame(frame)).await.expect("sent");
    }

    /// Waits for the server's close: `session.closing` must be the last event, with the same code.
    pub async fn closing(&mut self) -> Value {
        let (mut events, ended) = self.until_closed().await;
        let closing = events.pop().expect("session.closing before the close");
        assert_eq!(closing["type"], "session.closing", "{closing}");
        assert_eq!(closing["code"].as_u64(), ended.map(u64::from), "{closing}");
        assert!(closing["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{closing}");
        closing
    }
}

fn is_store_away(refused: &Response) -> bool {
    let body = refused.body().as_deref().and_then(|body| serde_json::from_slice::<Value>(body).ok());
    body.is_some_and(|body| body["error"]["code"] == "store_unavailable")
}
