//! All backends as one: asks those that have the model in their order, and the next one while nothing was shown.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use serde_json::Value;
use sophie_actors::backend::{Backend, BackendError, ChunkStream, StreamItem};
use sophie_actors::ids::RequestId;
use sophie_actors::ledger::Prices;
use sophie_actors::openai::error::Meaning;
use sophie_actors::openai::{Api, BackendRequest, Choices, Chunk};
use sophie_actors::protocol::ErrorCode;
use tokio::time::{Instant, timeout};

use super::answer::Items;
use super::blame::Blame;
use super::breaker::Patience;
use super::call::Call;
use super::fault::Fault;
use super::fleet::Fleet;
use super::member::{BackendView, Member, MemberOptions};
use super::models::ModelList;
use super::openai::NoAnswer;
use super::refusal;
use super::retry::LONGEST_TOLD;
use super::told;
use super::words::words;

/// How much that shows nothing is held back, in chunks and bytes. A role and a frame or two come first; what goes on for longer is an
/// answer of a kind that we do not know.
const HELD_CHUNKS: usize = 32;
const HELD_BYTES: usize = 256 * 1024;
/// How long the count of tokens and `[DONE]` are waited for once every choice has ended. They come at once, or never.
const AFTER_END: Duration = Duration::from_secs(10);

/// What the backends have in common.
#[derive(Clone)]
pub struct RouterOptions {
    /// The backends in their order.
    pub members: Vec<MemberOptions>,
    /// The model that answers in chats; it is in the list of models.
    pub model: String,
    /// For everything, whoever is asked.
    pub total_seconds: u64,
    /// When one is left out.
    pub patience: Patience,
    /// What models cost at the time. A router after another one goes on with the prices of the first.
    pub prices: Prices,
}

/// All backends as one.
pub struct Router {
    pub(super) fleet: Arc<Fleet>,
    pub(super) members: Vec<Arc<Member>>,
    pub(super) total: Duration,
    pub(super) models: ModelList,
}

impl Router {
    /// Whether any backend is asked for this model.
    pub fn serves(&self, model: &str) -> bool {
        self.members.iter().any(|member| member.serves(model))
    }

    /// The API by which every backend is asked that has this model; chat completions if they differ, since all can be told what those say.
    pub fn api_of(&self, model: &str) -> Api {
        let mut apis = self.members.iter().filter(|member| member.serves(model)).map(|member| member.client.api());
        let first = apis.next().unwrap_or_default();
        if apis.all(|api| api == first) { first } else { Api::ChatCompletions }
    }

    /// How each backend fares, in their order.
    pub fn view(&self) -> Vec<BackendView> {
        self.members.iter().map(|member| member.view()).collect()
    }

    /// How many backends there are, and how many of them are not left out.
    pub fn availability(&self) -> (usize, usize) {
        (self.members.len(), self.members.iter().filter(|member| member.is_available()).count())
    }

    async fn route(&self, request: &BackendRequest) -> Result<ChunkStream, BackendError> {
        let deadline = Instant::now() + self.total;
        let model = request.body.text("model").unwrap_or_default();
        let model = model.as_str();
        let serving: Vec<&Arc<Member>> = self.members.iter().filter(|member| member.serves(model)).collect();
        if serving.is_empty() {
            return Err(no_such_model(model));
        }
        let mut retried = false;
        let (mut told, mut soonest) = (None::<(BackendError, Blame)>, None::<(Duration, Option<Blame>)>);
        for (place, member) in serving.iter().enumerate() {
            let call = match member.enter(request, serving.len() == 1) {
                Ok(call) => call,
                Err(out) => {
                    soonest = soonest.filter(|known| known.0 <= out.0).or(Some(out));
                    continue;
                }
            };
            let rest = &serving[place + 1..];
            let (mut error, blame) = match begin(call, request, deadline, rest).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            retried |= error.retried || told.is_some();
            error.retried = retried;
            if !blame.passes_on() || Instant::now() >= deadline {
                return Err(error);
            }
            if let Some(next) = rest.iter().find(|next| next.is_usable()) {
                told::moved(member.name(), next.name(), &error.detail);
            }
            // Who does not have the model says nothing of one that has it and is in trouble.
            told = match told {
                Some(kept) if blame == Blame::Model => Some(kept),
                _ => Some((error, blame)),
            };
        }
        match (told, soonest) {
            // One that has the model may be among those that were left out.
            (Some((_, Blame::Model)) | None, Some((wait, blame))) => Err(left_out(wait, blame)),
            (Some((error, _)), _) => Err(BackendError { retried, ..error }),
            (None, None) => Err(no_such_model(model)),
        }
    }
}

#[async_trait]
impl Backend for Router {
    /// Returns with what is shown first at hand if another backend could take over until then.
    async fn stream(&self, request: &BackendRequest) -> Result<ChunkStream, BackendError> {
        self.route(request).await
    }

    async fn models(&self) -> Vec<Value> {
        self.models.get().await
    }

    fn name(&self) -> &'static str {
        "openai"
    }
}

/// One request to one backend, up to what is shown first if one of the `rest` could still take over, else to its first chunk.
async fn begin(
    mut call: Call,
    request: &BackendRequest,
    deadline: Instant,
    rest: &[&Arc<Member>],
) -> Result<ChunkStream, (BackendError, Blame)> {
    let asked = RequestId::within(call.request(), call.member().client.ask(request, deadline)).await;
    let items = asked.map_err(|NoAnswer { fault, wait, retried }| {
        (BackendError { retried, ..call.failed(&fault, wait) }, fault.blame())
    })?;
    call.began();
    let asked = request.choices();
    let mut answer =
        Routed { call, items, held: VecDeque::new(), is_visible: false, choices: Choices::default(), asked };
    if rest.iter().any(|member| member.is_usable()) {
        answer.hold().await.map_err(|fault| (answer.call.failed(&fault, None), fault.blame()))?;
    }
    Ok(answer.into_stream())
}

/// An answer of one backend that tells its breaker how it goes.
struct Routed {
    call: Call,
    items: Items,
    held: VecDeque<Chunk>,
    is_visible: bool,
    choices: Choices,
    /// How many choices were asked for.
    asked: u64,
}

impl Routed {
    /// Reads up to the first chunk that shows something. An end before it is a fault.
    async fn hold(&mut self) -> Result<(), Fault> {
        let mut bytes = 0;
        loop {
            match self.items.next().await {
                Some(Ok(StreamItem::Chunk(chunk))) => {
                    if let Some(error) = chunk.failure() {
                        return Err(Fault::Reported(error));
                    }
                    bytes += chunk.raw.len();
                    let full = self.held.len() + 1 >= HELD_CHUNKS || bytes >= HELD_BYTES;
                    let visible = chunk.is_visible();
                    self.held.push_back(chunk);
                    if visible || full {
                        return Ok(());
                    }
                }
                Some(Ok(StreamItem::Done)) | None => {
                    return Err(Fault::Broken("the answer ended before it had begun".into()));
                }
                Some(Err(fault)) => return Err(fault),
            }
        }
    }

    fn into_stream(self) -> ChunkStream {
        let items = stream::unfold(Some(self), |answer| async move {
            let mut answer = answer?;
            let item = answer.next().await?;
            let rest = matches!(item, Ok(StreamItem::Chunk(_))).then_some(answer);
            Some((item, rest))
        });
        Box::pin(items.fuse())
    }

    /// The answer is whole, or what the backend calls so.
    fn end(&mut self) {
        if self.choices.is_flawed() {
            self.call.failed(&Fault::Broken("a choice ended with an error".into()), None);
        } else {
            self.call.completed();
        }
    }

    /// What comes next. Once every choice has ended the answer is whole, whatever becomes of the rest: `None` then, if it is not `[DONE]`.
    async fn next(&mut self) -> Option<Result<StreamItem, BackendError>> {
        let is_whole = self.choices.has_finished(self.asked);
        let item = match self.held.pop_front() {
            Some(chunk) => Some(Ok(StreamItem::Chunk(chunk))),
            None if is_whole => timeout(AFTER_END, self.items.next()).await.unwrap_or(None),
            None => self.items.next().await,
        };
        match item {
            Some(Ok(StreamItem::Chunk(chunk))) => {
                if !self.is_visible && chunk.is_visible() {
                    self.is_visible = true;
                    self.call.answered();
                }
                self.choices.follow(&chunk);
                self.call.chunk(&chunk);
                Some(Ok(StreamItem::Chunk(chunk)))
            }
            Some(Ok(StreamItem::Done)) => {
                self.end();
                Some(Ok(StreamItem::Done))
            }
            None | Some(Err(Fault::Broken(_) | Fault::Timeout(_))) if is_whole => {
                self.end();
                None
            }
            Some(Err(fault)) => Some(Err(self.call.failed(&fault, None))),
            None => {
                // The end of the stream says it already.
                self.call.failed(&Fault::Broken("the stream ended before the answer did".into()), None);
                None
            }
        }
    }
}

fn no_such_model(model: &str) -> BackendError {
    let error = BackendError::new(ErrorCode::AiRejected, "no such model here", "no backend is asked for this model");
    BackendError { refusal: Some(refusal::no_such_model(model)), ..error }
}

/// All that have the model are left out: told at once, since each of them has just failed, and a caller can wait better than we.
fn left_out(wait: Duration, blame: Option<Blame>) -> BackendError {
    let meaning = match blame {
        Some(Blame::Account) => Meaning::Account,
        Some(Blame::Limit) => Meaning::Limited,
        Some(Blame::Address) => Meaning::Elsewhere,
        _ => Meaning::Down,
    };
    let (code, reason, _) = words(meaning);
    let wait = wait.clamp(Duration::from_secs(1), LONGEST_TOLD);
    BackendError {
        code,
        retried: false,
        reason: reason.to_owned(),
        retry_after_ms: Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        detail: format!("every backend for this model is left out wait_ms={}", wait.as_millis()),
        asked: None,
        refusal: (meaning == Meaning::Limited).then(refusal::limited),
    }
}
