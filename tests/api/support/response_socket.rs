//! A client of OpenAI's Responses over a WebSocket, which checks the numbers of all that it is told.

use std::collections::HashMap;
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::{SOON, described};

/// One connection.
pub struct ResponseSocket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The number of the next event of each lane.
    next: HashMap<String, u64>,
}

/// A frame that asks for a response.
pub fn create(input: &str, more: Value) -> Value {
    let mut frame = json!({"type": "response.create", "model": "test-model", "input": input});
    for (name, value) in more.as_object().expect("fields") {
        frame[name] = value.clone();
    }
    frame
}

impl ResponseSocket {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Self {
        Self::try_open(address, "test-key").await.expect("connected")
    }

    /// Connects, or the status of the refusal.
    pub async fn try_open(address: SocketAddr, key: &str) -> Result<Self, u16> {
        let mut request = format!("ws://{address}/v1/responses").into_client_request().expect("a request");
        let bearer = format!("Bearer {key}").parse().expect("a header");
        request.headers_mut().insert("authorization", bearer);
        match tokio_tungstenite::connect_async(request).await {
            Ok((stream, _)) => Ok(Self { stream, next: HashMap::new() }),
            Err(Error::Http(refused)) => Err(refused.status().as_u16()),
            Err(error) => panic!("not connected: {error:?}"),
        }
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &Value) {
        self.stream.send(Message::text(frame.to_string())).await.expect("sent");
    }

    /// The next event, or the close code.
    pub async fn next(&mut self) -> Result<Value, Option<u16>> {
        loop {
            let event = match timeout(SOON, self.stream.next()).await.expect("an event in time") {
                Some(Ok(Message::Text(text))) => serde_json::from_str::<Value>(&text).expect("JSON"),
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return Err(None),
            };
            described::frame("responses", &event);
            let kind = event["type"].as_str().expect("a type");
            if kind.starts_with("response.") && kind != "response.steer.failed" {
                let lane = event["stream_id"].as_str().unwrap_or_default().to_owned();
                let next = self.next.entry(lane).or_default();
                if kind == "response.created" {
                    *next = 0;
                }
                assert_eq!(event["sequence_number"], *next, "{event}");
                *next += 1;
            }
            return Ok(event);
        }
    }

    /// The next event of a lane; those of others are passed over.
    pub async fn next_of(&mut self, lane: &str) -> Value {
        loop {
            let event = self.next().await.expect("an event, not a close");
            if event["stream_id"].as_str().unwrap_or_default() == lane {
                return event;
            }
        }
    }

    /// What becomes of the next response of a lane: it, or its error.
    pub async fn response_of(&mut self, lane: &str) -> Value {
        loop {
            let event = self.next_of(lane).await;
            match event["type"].as_str() {
                Some("response.completed" | "response.incomplete" | "response.failed") => {
                    return event["response"].clone();
                }
                Some("error") => return event,
                _ => {}
            }
        }
    }

    /// Asks where no lane is named, and waits for what becomes of it.
    pub async fn ask(&mut self, frame: &Value) -> Value {
        self.send(frame).await;
        self.response_of("").await
    }

    /// Waits for a piece of text of a lane.
    pub async fn word_of(&mut self, lane: &str) -> String {
        loop {
            let event = self.next_of(lane).await;
            if event["type"] == "response.output_text.delta" {
                return event["delta"].as_str().expect("a text").to_owned();
            }
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
}
