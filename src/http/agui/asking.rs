//! A run that is posted, on its way to its answer.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::web::{Data, Payload};
use bytestring::ByteString;
use sophie_actors::dialects::Json;
use sophie_actors::dialects::agui::request::RunRequest;
use sophie_actors::ids::{AnswerId, MessageId, RequestId, SessionId};
use sophie_actors::openai::Body;
use sophie_actors::protocol::{ErrorCode, Protocol, Refusal, Role};
use sophie_actors::say::{Answered, Key, Speaker, Speech, ask_again, image_limits, said_before, say};
use tokio::time::{Instant, sleep};

use super::claim::{Claim, PENDING};
use super::finding::{KnownRun, runs};
use super::{calls, finding, model, with};
use crate::http::chat::{Guest, Looks, Turn, begun, enter_session, is_busy};
use crate::http::{ApiError, State, client_address, json, visitor};

/// How soon a store is called again that has failed.
const RETRY: Duration = Duration::from_millis(500);

/// What becomes of a run that is posted.
pub(super) enum Asked {
    /// It can be told.
    Run {
        /// The run.
        run: KnownRun,
        /// The messages of a client that knows a part of the answer, without that part.
        snapshot: Option<Json>,
    },
    /// Another run is under way.
    Busy {
        /// Where.
        thread: SessionId,
        /// The run that was not begun.
        run: String,
    },
}

/// Begins a run, or joins it.
///
/// # Errors
/// It cannot be asked.
pub(super) async fn run(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
    model: Option<String>,
) -> Result<Asked, ApiError> {
    visitor::check_entrance(request, state)?;
    let asked = read(payload, state).await?;
    if let Some(model) = &model {
        model::check(state, model).await?;
    }
    let shown = visitor::shown(request, client_address(request, state));
    let guest = enter_session(&shown, asked.thread.clone(), state).await?;
    let (thread, run) = (asked.thread.clone(), asked.run.clone());
    let (claim, mut looks) = (Claim::of(&asked.question), Looks::begin());
    let asking = Arc::new(Asking { state: state.clone(), guest, asked, model });
    let answer = loop {
        match runs(state, &thread).claim(&run, &claim).await? {
            None => {
                let asking = asking.clone();
                // To its end, also when the caller leaves meanwhile: a claim of which nothing came would keep others waiting.
                let began = actix_web::rt::spawn(RequestId::carried(async move { asking.begin(claim).await }));
                match began.await.map_err(|_| ApiError::from(Refusal::internal()))?? {
                    Some(answer) => break answer,
                    None => return Ok(Asked::Busy { thread, run }),
                }
            }
            Some(other) if other.asked != claim.asked => {
                return Err(ApiError::conflict("this run has another question"));
            }
            Some(Claim { answer: Some(answer), .. }) => break answer,
            Some(_) => looks.again().await?,
        }
    };
    let reader = begun(state, &answer).await?;
    let snapshot = asking.asked.messages_without(answer.as_str());
    Ok(Asked::Run { run: KnownRun { thread, id: run, answer, reader }, snapshot })
}

async fn read(payload: Payload, state: &State) -> Result<RunRequest, ApiError> {
    // Each run brings its whole chat along.
    let most = state.most_bytes.max(state.chat.max_frame_bytes);
    let bytes = json::receive(payload, most).await?;
    let text = ByteString::try_from(bytes).map_err(|_| ApiError::bad_request("the body is not UTF-8"))?;
    let body = Body::parse(&text).map_err(|bad| ApiError::bad_request(format!("the body is not right: {bad}")))?;
    RunRequest::read(&body).map_err(|bad| ApiError::bad_request(bad.message))
}

/// A run that is this request's to begin.
struct Asking {
    state: Data<State>,
    guest: Guest,
    asked: RunRequest,
    model: Option<String>,
}

impl Asking {
    /// Asks, and notes which answer the run is. `None`: another run is under way.
    async fn begin(self: Arc<Self>, claim: Claim) -> Result<Option<AnswerId>, ApiError> {
        let (runs, run) = (runs(&self.state, &self.guest.session), &self.asked.run);
        let asked = match Turn::take(&self.state, &self.guest.session).await {
            Ok(turn) => {
                let asked = self.ask().await;
                turn.is_over(asked.as_ref().ok().and_then(Option::as_ref)).await;
                asked
            }
            Err(error) => Err(error),
        };
        let Ok(Some(answer)) = &asked else {
            // What cannot be given back ends by itself.
            _ = runs.give_back(run, &claim).await;
            return asked;
        };
        let is_noted = runs.asked(run, &claim, answer).await.is_ok();
        let (asking, answer) = (self.clone(), answer.clone());
        actix_web::rt::spawn(RequestId::carried(async move { asking.settle(claim, answer, is_noted).await }));
        asked
    }

    /// What remains to be done of a run that was asked for: its asker need not wait for it.
    async fn settle(&self, claim: Claim, answer: AnswerId, mut is_noted: bool) {
        let runs = finding::runs(&self.state, &self.guest.session);
        let until = Instant::now() + PENDING;
        // Else who asks for it again would be taken for the first.
        while !is_noted && Instant::now() < until {
            sleep(RETRY).await;
            is_noted = runs.asked(&self.asked.run, &claim, &answer).await.is_ok();
        }
    }

    async fn ask(&self) -> Result<Option<AnswerId>, ApiError> {
        let (node, speaker) = (&self.state.node, self.guest.speaker(Protocol::AgUi));
        let speech = self.speech().await?;
        let home = &speech.group;
        if is_busy(&self.state, home).await? {
            return Ok(None);
        }
        if node.stores.groups.info(home).await?.is_some_and(|group| !group.assistant) {
            return Err(ApiError::conflict("a person answers in this chat now; the assistant is off"));
        }
        let brings = !self.asked.behind.is_empty();
        match said_before(node, &speaker, &speech).await? {
            Some(message) if brings || self.was_answered(&message).await? => {
                self.ask_again(&speaker, speech, message).await.map(Some)
            }
            None if brings => {
                let message = "the question that these results of tools belong to is not known here (any more)";
                Err(ApiError::bad_request(message))
            }
            // New, or said by a run of which it is not known what became: it is said once, and asked for once.
            _ => {
                let said = say(node, &speaker, speech, |_| {}).await?;
                let message = said.message.ok_or_else(Refusal::internal)?;
                Ok(Some(AnswerId::owed_to(&message)))
            }
        }
    }

    /// Whether the answer that a question is owed has begun.
    async fn was_answered(&self, message: &MessageId) -> Result<bool, ApiError> {
        Ok(self.state.node.answers.read(AnswerId::owed_to(message)).await?.is_some())
    }

    /// Another answer to a question that was said before: with the results of tools, or because another run asks for it.
    async fn ask_again(&self, speaker: &Speaker, speech: Speech, message: MessageId) -> Result<AnswerId, ApiError> {
        let seq = message.seq().ok_or_else(Refusal::internal)?;
        let Speech { group, text, with, .. } = speech;
        let (ask, admitted) =
            ask_again(&self.state.node, speaker, Answered { group, message, seq, text, with }).await?;
        let answer = ask.answer.clone();
        self.state.node.ask(ask, admitted).await;
        Ok(answer)
    }

    /// The question, as it is said.
    async fn speech(&self) -> Result<Speech, ApiError> {
        let (state, guest, question) = (&self.state, &self.guest, &self.asked.question);
        with::check(question)?;
        let text = question.said();
        let most = state.node.options.max_text_chars;
        if text.chars().count() > most {
            let message = format!("the message is longer than {most} characters");
            return Err(Refusal::new(ErrorCode::TooLarge, message).into());
        }
        let behind = calls::behind(state, &guest.session, &self.asked.behind).await?;
        Ok(Speech {
            images: question.images(image_limits(&state.node)),
            group: guest.session.home(),
            text,
            role: Role::User,
            author: guest.identity.user.to_string(),
            metadata: None,
            assistant: true,
            with: with::of(&self.asked, behind, self.model.as_deref(), state.chat.trust_history),
            key: Some(Key { scope: guest.session.to_string(), id: question.id.clone(), seconds: state.keep_seconds }),
        })
    }
}
