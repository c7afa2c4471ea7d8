//! One backend: asks it, and asks it again where that may help.

mod trial;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::StreamExt;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, Url};
use serde_json::{Value, json};
use sophie_actors::backend::{Backend, BackendError, ChunkStream};
use sophie_actors::openai::error::{Meaning, ReportedError};
use sophie_actors::openai::request::for_backend;
use sophie_actors::openai::stream_options::{INCLUDE_USAGE, STREAM_OPTIONS};
use sophie_actors::openai::{Api, BackendRequest, Body, Endpoint, ResponseReader, models};
use tokio::time::{Instant, sleep, timeout};

use super::answer::{Answer, Bounds, Items, Words};
use super::body::{self, pieces};
use super::clock::Clock;
use super::fault::{Fault, Stage, chain};
use super::form::{self, BodyForm};
use super::options::{BadOptions, LONGEST_SECONDS, OpenAiOptions, span};
use super::pooled;
use super::request;
use super::retry::{Advice, LONGEST_OBEYED};
use super::secrets::Secrets;
use super::sse::SseEvents;
use super::told;
use super::whole;
use crate::trace_context;
pub use trial::{Trouble, Unusable};

/// How much of a refusal's body is read, in bytes.
const REFUSAL_BYTES: usize = 64 * 1024;

/// How long a refusal's body is waited for.
const REFUSAL_WAIT: Duration = Duration::from_secs(2);

/// How much of a list of models is read, in bytes, and how long it is waited for.
const MODELS_BYTES: usize = 1024 * 1024;
const MODELS_WAIT: Duration = Duration::from_secs(2);

/// An OpenAI-compatible backend. Its connections are kept for further answers.
#[derive(Debug)]
pub struct OpenAi {
    client: Client,
    /// Where it is asked for what it is to say.
    url: Url,
    embeddings: Url,
    options: OpenAiOptions,
    secrets: Secrets,
    /// Where it is, for the log.
    place: String,
    /// It has refused `stream_options`, and answered without.
    refuses_stream_options: AtomicBool,
}

/// Why a backend does not answer, after all that was tried.
#[derive(Debug)]
pub struct NoAnswer {
    /// What was at fault last.
    pub fault: Fault,
    /// The backend's own word on when to come back.
    pub wait: Option<Duration>,
    /// Whether it was asked more than once.
    pub retried: bool,
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

impl Failed {
    /// A backend of chats that knows nothing of embeddings is as well as before, and another one may know them.
    fn at(self, endpoint: Endpoint) -> Self {
        let lacks = |fault: &Fault| matches!(fault, Fault::Status(501, _)) || fault.meaning() == Meaning::Elsewhere;
        match endpoint {
            Endpoint::Embeddings if lacks(&self.fault) => Self { passing: false, fault: Fault::NoEmbeddings, ..self },
            _ => self,
        }
    }
}

impl OpenAi {
    /// Checks the options and makes the client. The process must have installed a rustls crypto provider.
    pub fn new(options: OpenAiOptions) -> Result<Self, BadOptions> {
        let url = request::address(options.api.path(), &options.base_url)?;
        let embeddings = request::address(Endpoint::Embeddings.path(), &options.base_url)?;
        let connect = span(options.connect_seconds);
        let client = request::client(&url, options.api_key.as_ref(), &options.headers, connect)?;
        let secrets = Secrets::of(&url, options.api_key.as_ref(), options.headers.iter().map(|(_, value)| value));
        let place = request::place(&url);
        Ok(Self { client, url, embeddings, options, secrets, place, refuses_stream_options: AtomicBool::new(false) })
    }

    /// Where it is asked, for the log: without credentials and query.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The server that is asked.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The model that it is asked for in the place of others, if there is one.
    pub fn model(&self) -> &str {
        &self.options.model
    }

    /// By which API it is asked.
    pub fn api(&self) -> Api {
        self.options.api
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
    pub async fn ask(&self, request: &BackendRequest, deadline: Instant) -> Result<Items, NoAnswer> {
        let endpoint = request.endpoint;
        let (mut body, streams) =
            for_backend(self.options.api, request, &self.options.model).map_err(|error| NoAnswer {
                fault: Fault::Status(400, ReportedError::find(&json!({"error": error})).unwrap_or_default()),
                wait: None,
                retried: false,
            })?;
        if self.refuses_stream_options.load(Ordering::Relaxed) {
            body.remove(STREAM_OPTIONS);
        }
        let (mut attempt, mut is_stripped) = (0, false);
        loop {
            let failed = match self.attempt(endpoint, &body, streams, deadline).await {
                Ok(answer) => {
                    self.refuses_stream_options.fetch_or(is_stripped, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(failed) => failed.at(endpoint),
            };
            let refuses = failed.fault.refuses(STREAM_OPTIONS) || failed.fault.refuses(INCLUDE_USAGE);
            if refuses && body.remove(STREAM_OPTIONS) {
                log::info!(
                    event = "ai_request_without_stream_options", backend = self.options.name;
                    "an AI request is repeated without stream_options, which the backend refuses"
                );
                is_stripped = true;
                continue;
            }
            let pause = failed.advice.pause(attempt);
            let worthwhile = pause <= LONGEST_OBEYED && Instant::now() + pause < deadline;
            if attempt >= self.options.retries || !failed.passing || !worthwhile {
                return Err(NoAnswer { fault: failed.fault, wait: failed.advice.wait, retried: attempt > 0 });
            }
            attempt += 1;
            told::repeated(&self.options.name, attempt, pause, &failed.fault.detail(&self.secrets));
            sleep(pause).await;
        }
    }

    /// The models that it lists itself, as it describes them; `None` if it does not say within two seconds.
    pub async fn models(&self) -> Option<Vec<Value>> {
        let deadline = Instant::now() + MODELS_WAIT;
        let asked = async {
            let response = self.client.get(request::models(&self.embeddings)?).send().await.ok()?;
            if !response.status().is_success() {
                return None;
            }
            let mut clock = Clock::new(MODELS_WAIT, Stage::Whole, deadline);
            let body = body::read(pieces(response).ok()?, MODELS_BYTES, &mut clock).await.ok()?;
            models::of_list(&body)
        };
        timeout(MODELS_WAIT, asked).await.ok().flatten()
    }

    async fn attempt(
        &self,
        endpoint: Endpoint,
        body: &Body,
        streams: bool,
        deadline: Instant,
    ) -> Result<Items, Failed> {
        // A body that comes whole comes when all of it is written.
        let patience = if streams { self.options.first_chunk_seconds } else { LONGEST_SECONDS };
        let mut clock = Clock::new(span(patience), Stage::FirstChunk, deadline);
        let response = clock.wait(self.send(endpoint, body, streams)).await??;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        let declared = declared(&response);
        let (form, pieces) = form::of(pieces(response)?, &declared, &mut clock).await?;
        match form {
            BodyForm::Events if endpoint == Endpoint::ChatCompletions => {
                let idle = span(self.options.idle_seconds);
                let bounds = Bounds { idle, deadline, bytes: self.options.max_answer_bytes };
                let events = SseEvents::new(pieces, self.options.max_event_bytes);
                let words = match self.options.api {
                    Api::ChatCompletions => Words::Chat,
                    Api::Responses => Words::Response(ResponseReader::of_request(body)),
                };
                Ok(Answer::begin(words, events, bounds, &mut clock).await?.into_stream())
            }
            BodyForm::Json => {
                let bytes = body::read(pieces, self.options.max_answer_bytes, &mut clock).await?;
                Ok(whole::items(endpoint, self.options.api, body, bytes)?)
            }
            BodyForm::Page => {
                let page = body::beginning(pieces, REFUSAL_BYTES, Instant::now() + REFUSAL_WAIT).await;
                Err(Fault::Status(200, ReportedError::in_response(&page)).into())
            }
            BodyForm::Events | BodyForm::Other => Err(Fault::Unreadable(format!("content type {declared:?}")).into()),
        }
    }

    /// Sends a request. A connection that was kept may have been closed by the backend just then; before a byte of a response this says
    /// nothing of the backend, and another connection is taken at once.
    async fn send(&self, endpoint: Endpoint, body: &Body, streams: bool) -> Result<Response, Fault> {
        let (accept, kind) = request::accept(streams);
        let url = match endpoint {
            Endpoint::ChatCompletions => &self.url,
            Endpoint::Embeddings => &self.embeddings,
        };
        let mut kept = 0;
        loop {
            let request = trace_context::tell(self.client.post(url.clone()).header(&accept, &kind));
            match pooled::noted(request::with_body(request, body).send()).await {
                (Ok(response), _) => return Ok(response),
                (Err(error), is_new) if is_new || error.is_timeout() || error.is_connect() => {
                    return Err(unsent(error));
                }
                (Err(error), _) if kept >= request::KEPT_CONNECTIONS => return Err(unsent(error)),
                (Err(error), _) => {
                    kept += 1;
                    log::debug!(
                        backend = self.options.name, cause = chain(error);
                        "a kept connection was closed by the AI backend"
                    );
                }
            }
        }
    }
}

#[async_trait]
impl Backend for OpenAi {
    async fn stream(&self, request: &BackendRequest) -> Result<ChunkStream, BackendError> {
        let secrets = self.secrets.clone();
        match self.ask(request, self.deadline()).await {
            Ok(items) => Ok(items.map(move |item| item.map_err(|fault| fault.for_caller(None, &secrets))).boxed()),
            Err(unanswered) => Err(unanswered.fault.for_caller(unanswered.wait, &secrets)),
        }
    }

    fn name(&self) -> &'static str {
        "openai"
    }
}

/// No response came.
fn unsent(error: reqwest::Error) -> Fault {
    if error.is_timeout() { Fault::Timeout(Stage::Connect) } else { Fault::Connection(chain(error)) }
}

/// The content type, without its parameters.
fn declared(response: &Response) -> String {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

async fn refused(response: Response) -> Failed {
    let status = response.status().as_u16();
    let advice = Advice::read(response.headers(), SystemTime::now());
    let body = match pieces(response) {
        Ok(pieces) => body::beginning(pieces, REFUSAL_BYTES, Instant::now() + REFUSAL_WAIT).await,
        Err(_) => Vec::new(),
    };
    let fault = Fault::Status(status, ReportedError::in_response(&body));
    let passing = advice.allows(status) && !fault.is_account();
    Failed { fault, advice, passing }
}
