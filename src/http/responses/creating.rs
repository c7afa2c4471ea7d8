//! How a response begins, whatever carries it: its request is read with what was said before, admitted, joined to its answer, and recorded
//! if it is to be kept.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::web::Data;
use sophie_actors::admission::{Admit, Caller as AdmittedCaller, Remaining, SlotOf};
use sophie_actors::answers::{AdmitAndJoin, Joined, Record};
use sophie_actors::dialects::responses::{Head, Items, ResponseEvent, ResponseFold};
use sophie_actors::dialects::{AnswerEnd, Fold};
use sophie_actors::ids::AnswerId;
use sophie_actors::protocol::{Protocol, Usage, unix_ms};
use sophie_actors::store::{AnswerOwner, RecordingHead};

use super::asked::Asked;
use super::earlier::Earlier;
use super::prepared::Prepared;
use super::telling::Telling;
use crate::auth::bearer::KeyHolder;
use crate::http::State;
use crate::http::gateway::bill::Bill;
use crate::http::gateway::kept::Kept;
use crate::http::gateway::reading::{How, Reading};
use crate::http::gateway::sharing::Wishes;
use crate::http::gateway::source::Source;
use crate::http::gateway::{GatewayError, SHORT};

/// Who asks for a response.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The holder of the key.
    pub holder: Arc<KeyHolder>,
    /// From where.
    pub address: IpAddr,
    /// What they wish of the cache.
    pub wishes: Wishes,
}

impl Caller {
    /// What is to be admitted of theirs.
    pub fn admit(&self, prompt_tokens: u64, slot: Option<SlotOf>) -> Admit {
        Admit {
            caller: AdmittedCaller::Application(self.holder.application()),
            address: self.address,
            group: None,
            prompt_tokens: Some(prompt_tokens),
            slot,
        }
    }
}

/// A response that has begun.
pub struct Created {
    /// Its answer.
    pub answer: AnswerId,
    /// Whether it is kept.
    pub is_kept: bool,
    /// What is left of its caller's limits.
    pub left: Remaining,
    /// Tools that no backend has.
    pub dropped: Vec<String>,
    /// The conversation with the request at its end.
    pub said: Items,
    /// What comes of it.
    pub telling: Telling,
}

/// Begins a response. `bill`: of a caller who was admitted before the body was read. `remembered`: the conversation that it goes on, of a
/// caller who has kept that.
///
/// # Errors
/// Something of the request is wrong, or it is not admitted.
pub async fn create(
    state: &Data<State>,
    caller: &Caller,
    asked: &Asked,
    bill: Option<Bill>,
    remembered: Option<Items>,
) -> Result<Created, GatewayError> {
    let answer = AnswerId::random();
    let created_ms = unix_ms();
    let earlier = Earlier::of(state, &caller.holder, asked, remembered).await?;
    let Prepared { join, echo, said, about, dropped } = prepare(state, caller, asked, earlier, &answer).await?;
    let (reuse, model) = (join.reuse, join.request.body.text("model").unwrap_or_default());
    let visit = state.gateway.running.begin();
    let (bill, joined) = match bill {
        Some(bill) => bill.join(join).await?,
        None => {
            let admit = caller.admit(join.prompt_tokens, Some(SlotOf::Service));
            Bill::open(state.clone(), AdmitAndJoin { admit, join }).await?
        }
    };
    state.node.metrics.asked(Protocol::Responses);
    let Joined { follower, coalesced } = joined;
    let (left, is_kept) = (bill.left().clone(), about.is_some());
    let how = How { coalesced, reuse, cache_enabled: state.gateway.cache.enabled };
    let reading = Reading::new(follower, bill, visit, how);
    let source = match about {
        Some(about) => {
            let head = RecordingHead {
                owner: AnswerOwner::Key(caller.holder.digest.clone()),
                model: model.clone(),
                // Not known yet.
                cache: None,
                began_ms: created_ms,
                keep_seconds: state.gateway.keep_responses_seconds,
            };
            let record = Record { answer: answer.clone(), head, about, in_background: asked.in_background };
            Source::Kept(Kept::begin(state, reading, record, Protocol::Responses).await?)
        }
        None => Source::Own(Box::new(reading)),
    };
    let head = Head { answer: answer.to_string(), created_at: created_ms / 1_000, model, echo };
    Ok(Created { answer, is_kept, left, dropped, said, telling: Telling::new(head, source) })
}

/// The events of a response that is only said: no backend is asked, nothing is kept, and its caller can go on from it. It counts as a
/// request. With the conversation that it is the end of.
///
/// # Errors
/// As for [`create`].
pub async fn prepare_alone(
    state: &Data<State>,
    caller: &Caller,
    asked: &Asked,
    remembered: Option<Items>,
) -> Result<(Vec<ResponseEvent>, Items), GatewayError> {
    let answer = AnswerId::random();
    let earlier = Earlier::of(state, &caller.holder, asked, remembered).await?;
    let Prepared { join, echo, said, .. } = prepare(state, caller, asked, earlier, &answer).await?;
    let admitted = state.node.limiter.admit(caller.admit(0, None)).await;
    admitted.map_err(GatewayError::not_admitted)?.stand();
    let model = join.request.body.text("model").unwrap_or_default();
    let mut fold = ResponseFold::new(Head { answer: answer.to_string(), created_at: unix_ms() / 1_000, model, echo });
    let end = AnswerEnd::Complete { finish_reason: "stop".to_owned(), usage: Some(Usage::default()) };
    let mut events = fold.begin();
    events.extend(fold.end(&end));
    Ok((events, said))
}

/// A long conversation is taken apart away from the worker, whose chats must not stand still, and only a few of them at once.
async fn prepare(
    state: &Data<State>,
    caller: &Caller,
    asked: &Asked,
    earlier: Earlier,
    answer: &AnswerId,
) -> Result<Prepared, GatewayError> {
    let input = asked.body.get("input").map_or(0, str::len);
    if input + earlier.before.bytes() <= SHORT {
        return Prepared::of(answer, asked, earlier, caller, state);
    }
    let turn = state.gateway.long_bodies.turn().await?;
    let (state, caller, asked, answer) = (state.clone(), caller.clone(), asked.clone(), answer.clone());
    let prepared = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        Prepared::of(&answer, &asked, earlier, &caller, &state)
    });
    prepared.await.unwrap_or_else(|_| Err(GatewayError::internal()))
}
