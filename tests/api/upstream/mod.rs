//! The client of the AI backend against a server that misbehaves.

mod answers;
mod broken;
mod patience;
mod request;
mod retries;

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use sophie::upstream::{OpenAi, OpenAiOptions};
use sophie_actors::backend::{Backend, BackendError, ChunkStream, StreamItem};
use sophie_actors::openai::{BackendRequest, Body, Choices, Chunk};
use sophie_actors::protocol::ErrorCode;
use sophie_kit::ai_server::{AiServer, Script};
use tokio::time::timeout;

use crate::support::once;

/// How long anything may take that should happen at once.
const SOON: Duration = Duration::from_secs(5);

fn options(base_url: String) -> OpenAiOptions {
    OpenAiOptions { first_chunk_seconds: 10, idle_seconds: 10, retries: 2, ..once(base_url) }
}

fn client(options: OpenAiOptions) -> OpenAi {
    // Only the first of the tests of this process can install it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    OpenAi::new(options).expect("good options")
}

fn backend(ai: &AiServer) -> OpenAi {
    client(options(ai.base_url()))
}

fn question() -> BackendRequest {
    request(json!({ "model": "m", "messages": [{ "role": "user", "content": "Hi" }] }))
}

fn request(body: Value) -> BackendRequest {
    let Value::Object(body) = body else { panic!("not an object") };
    BackendRequest::from(Body::from(body))
}

/// All that came of an answer.
#[derive(Debug, Default)]
struct Got {
    chunks: Vec<Chunk>,
    done: bool,
    error: Option<BackendError>,
}

impl Got {
    fn text(&self) -> String {
        self.chunks.iter().map(|chunk| chunk.text.as_str()).collect()
    }

    fn is_proven(&self) -> bool {
        self.done && self.error.is_none() && Choices::of(&self.chunks).is_finished()
    }

    fn code(&self) -> Option<ErrorCode> {
        self.error.as_ref().map(|error| error.code)
    }
}

async fn collect(mut stream: ChunkStream) -> Got {
    let mut got = Got::default();
    while let Some(item) = timeout(SOON * 4, stream.next()).await.expect("the answer ends") {
        assert!(!got.done && got.error.is_none(), "something came after the end");
        match item {
            Ok(StreamItem::Chunk(chunk)) => got.chunks.push(chunk),
            Ok(StreamItem::Done) => got.done = true,
            Err(error) => got.error = Some(error),
        }
    }
    got
}

async fn ask(backend: &OpenAi) -> Got {
    match timeout(SOON * 4, backend.stream(&question())).await.expect("the answer begins") {
        Ok(stream) => collect(stream).await,
        Err(error) => Got { error: Some(error), ..Got::default() },
    }
}

/// What comes of one call with `script`.
async fn play(script: Script) -> Got {
    let ai = AiServer::start().await;
    ai.push(script);
    let got = ask(&backend(&ai)).await;
    assert_eq!(ai.calls(), 1, "one call");
    got
}

fn assert_plain(error: &BackendError) {
    for hidden in ["127.0.0.1", "http", "test-key", "refused by the test", "status"] {
        assert!(!error.reason.contains(hidden), "{hidden} in {}", error.reason);
    }
    assert!(!error.detail.contains("test-key"), "{}", error.detail);
}
