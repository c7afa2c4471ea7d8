//! One backend: asks it, and asks it again where that may help.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, Url};
use serde_json::Value;
use sophie_actors::backend::{Backend, BackendError, Body, ChatRequest, ChunkStream, ReportedError, StreamItem};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::answer::{Answer, Bounds, Items, sooner};
use super::errors::{Fault, Stage};
use super::retry::{Advice, LONGEST_OBEYED};
use super::secrets::{ApiKey, Secrets};
use super::sse::SseEvents;
use super::{request, whole};

/// How much of a refusal's body is read, in bytes.
const REFUSAL_BYTES: usize = 64 * 1024;

/// How long a refusal's body is waited for.
const REFUSAL_WAIT: Duration = Duration::from_secs(2);

/// The longest that any time-out can be set to, so that adding it to the clock cannot overflow.
const LONGEST_SECONDS: u64 = 24 * 60 * 60;

/// How much of a list of models is read, in bytes, and how long it is waited for.
const MODELS_BYTES: usize = 1024 * 1024;
const MODELS_WAIT: Duration = Duration::from_secs(2);

/// How a backend is reached: one of `[[ai.backends]]`, or the rest of `[ai]`.
#[derive(Debug, Clone, Default)]
pub struct OpenAiOptions {
    /// What it is called in the log.
    pub name: String,
    /// Its address up to `/chat/completions`; empty for [`DEFAULT_BASE_URL`].
    pub base_url: String,
    /// Sent as a bearer token.
    pub api_key: Option<ApiKey>,
    /// Further headers (Azure's `api-key`). One of them takes the place of the bearer token if it has its name.
    pub headers: Vec<(String, ApiKey)>,
    /// Sent as the model in place of the one that was asked for; empty: that one.
    pub model: String,
    /// For a connection.
    pub connect_seconds: u64,
    /// For the first chunk, of each attempt.
    pub first_chunk_seconds: u64,
    /// Between two chunks.
    pub idle_seconds: u64,
    /// For everything, retries and their pauses included.
    pub total_seconds: u64,
    /// How often a request is sent again at most.
    pub retries: u32,
    /// The most data that an answer may have, in bytes.
    pub max_answer_bytes: usize,
}

/// Options with which no backend can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOptions {
    /// Not an address. It is not repeated, as it may bear a password.
    #[error("ai.base_url must be an http:// or https:// address")]
    BaseUrl,
    /// Not fit for a header.
    #[error("ai.api_key has characters that no key has, such as a line end")]
    ApiKey,
    /// Not fit for a header.
    #[error("the header {0:?} has a name or characters that no header has")]
    Header(String),
    /// No HTTP client can be made on this machine.
    #[error("the HTTP client for the AI backend cannot be made: {0}")]
    Client(String),
}

/// An OpenAI-compatible backend. Its connections are kept for further answers.
#[derive(Debug)]
pub struct OpenAi {
    client: Client,
    url: Url,
    options: OpenAiOptions,
    secrets: Secrets,
}

/// Why a backend does not answer, after all that was tried.
#[derive(Debug)]
pub struct Refused {
    /// What was at fault last.
    pub fault: Fault,
    /// The backend's own word on when to come back.
    pub wait: Option<Duration>,
}

/// An attempt that failed.
struct Failed {
    fault: Fault,
    advice: Advice,
    /// Whether the same may be tried again: nothing of an answer had come, and the fault may pass.
    passing: bool,
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        let passing = matches!(fault, Fault::Connection(_) | Fault::Timeout(Stage::Connect));
        Self { fault, advice: Advice::default(), passing }
    }
}

impl OpenAi {
    /// Checks the options and makes the client. The process must have installed a rustls crypto provider.
    pub fn new(options: OpenAiOptions) -> Result<Self, BadOptions> {
        let url = request::endpoint(&options.base_url)?;
        let connect = span(options.connect_seconds);
        let client = request::client(&url, options.api_key.as_ref(), &options.headers, connect)?;
        let secrets = Secrets::of(&url, options.api_key.as_ref(), options.headers.iter().map(|(_, value)| value));
        Ok(Self { client, url, options, secrets })
    }

    /// What must be kept out of every text about it.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// When an answer that is asked for now must be through.
    pub fn deadline(&self) -> Instant {
        Instant::now() + span(self.options.total_seconds)
    }

    /// Asks. Returns with the first item at hand, so that every fault before it can still be answered by another attempt.
    pub async fn ask(&self, asked: &Body, deadline: Instant) -> Result<Items, Refused> {
        let (body, streams) = request::body(asked, &self.options.model);
        let mut attempt = 0;
        loop {
            let failed = match self.attempt(&body, streams, deadline).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let pause = failed.advice.pause(attempt);
            let worthwhile = pause <= LONGEST_OBEYED && Instant::now() + pause < deadline;
            if attempt >= self.options.retries || !failed.passing || !worthwhile {
                return Err(Refused { fault: failed.fault, wait: failed.advice.wait });
            }
            attempt += 1;
            log::warn!(
                "ai request repeated: backend={} attempt={attempt} pause_ms={} cause={}",
                self.options.name,
                pause.as_millis(),
                failed.fault.detail(&self.secrets)
            );
            sleep(pause).await;
        }
    }

    /// The models that it lists itself, as it describes them; `None` if it does not say within two seconds.
    pub async fn models(&self) -> Option<Vec<Value>> {
        let asked = async {
            let response = self.client.get(request::models(&self.url)?).send().await.ok()?;
            let body =
                if response.status().is_success() { read(response, MODELS_BYTES).await.ok()? } else { return None };
            let mut list: Value = serde_json::from_slice(&body).ok()?;
            match list.get_mut("data").map(Value::take) {
                Some(Value::Array(models)) => Some(models),
                _ => None,
            }
        };
        timeout(MODELS_WAIT, asked).await.ok().flatten()
    }

    async fn attempt(&self, body: &Body, streams: bool, deadline: Instant) -> Result<Items, Failed> {
        let first = Instant::now() + span(self.options.first_chunk_seconds);
        let whole = (deadline, Stage::Whole);
        // A body that comes whole comes when all of it is written.
        let (limit, stage) = if streams { sooner((first, Stage::FirstChunk), whole) } else { whole };
        match timeout_at(limit, self.begin(body, streams, deadline)).await {
            Ok(begun) => begun,
            Err(_) => Err(Fault::Timeout(stage).into()),
        }
    }

    async fn begin(&self, body: &Body, streams: bool, deadline: Instant) -> Result<Items, Failed> {
        let (accept, kind) = request::accept(streams);
        let request = self.client.post(self.url.clone()).header(accept, kind);
        let response = request::with_body(request, body).send().await.map_err(unsent)?;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "text/event-stream" => {
                let body = response.bytes_stream().map_err(chain);
                let idle = span(self.options.idle_seconds);
                let bounds = Bounds { idle, deadline, bytes: self.options.max_answer_bytes };
                Ok(Answer::begin(SseEvents::new(body), bounds).await?.into_stream())
            }
            "application/json" => {
                let bytes = read(response, self.options.max_answer_bytes).await?;
                let chunk = whole::chunk(&bytes)?;
                Ok(stream::iter([Ok(StreamItem::Chunk(chunk)), Ok(StreamItem::Done)]).boxed())
            }
            other => Err(Fault::Unreadable(format!("content type {other:?}")).into()),
        }
    }
}

#[async_trait]
impl Backend for OpenAi {
    async fn stream(&self, request: &ChatRequest) -> Result<ChunkStream, BackendError> {
        let secrets = self.secrets.clone();
        match self.ask(&request.body, self.deadline()).await {
            Ok(items) => Ok(items.map(move |item| item.map_err(|fault| fault.told(None, &secrets))).boxed()),
            Err(refused) => Err(refused.fault.told(refused.wait, &secrets)),
        }
    }

    fn name(&self) -> &'static str {
        "openai"
    }
}

/// Seconds of the settings.
pub fn span(seconds: u64) -> Duration {
    Duration::from_secs(seconds.min(LONGEST_SECONDS))
}

/// No response came.
fn unsent(error: reqwest::Error) -> Fault {
    if error.is_timeout() { Fault::Timeout(Stage::Connect) } else { Fault::Connection(chain(error)) }
}

async fn refused(response: Response) -> Failed {
    let status = response.status().as_u16();
    let advice = Advice::read(response.headers(), SystemTime::now());
    // A refusal is one with or without its explanation.
    let body = match timeout(REFUSAL_WAIT, read(response, REFUSAL_BYTES)).await {
        Ok(Ok(body)) => body,
        _ => vec![],
    };
    let error = serde_json::from_slice(&body).ok().and_then(|body| ReportedError::find(&body)).unwrap_or_default();
    let fault = Fault::Status(status, error);
    let passing = advice.allows(status) && !fault.is_account();
    Failed { fault, advice, passing }
}

async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| Fault::Broken(chain(error)))? {
        if bytes.len().saturating_add(piece.len()) > most {
            return Err(Fault::Broken(format!("the body is longer than {most} bytes")));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// An error and what it stems from, without the address.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
