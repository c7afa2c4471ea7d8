//! The steps of a message: an answer that asked for tools, and those that went on with what came of them.

use std::time::Duration;

use actix_web::web::Data;
use serde_json::Value;
use sophie_actors::answers::{Recorded, RecordingReader};
use sophie_actors::dialects::ui::{GoesOn, UiChunk, UiFold, shown, told_again};
use sophie_actors::dialects::{Fold, Parts};
use sophie_actors::ids::{AnswerId, GroupName};
use sophie_actors::store::{AnswerOwner, StoreResult};
use tokio::time::timeout;

use crate::http::State;

/// Steps of one message. A model that asks for more of them goes round in circles.
pub(super) const MOST: usize = 64;
/// How long the store has to tell a step that is over.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// An answer that is over, with what it went on with.
pub(super) struct Step {
    pub(super) answer: AnswerId,
    pub(super) parts: Parts,
    pub(super) goes_on: Option<GoesOn>,
}

/// With what the telling of an answer begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// With the first step of its message: the client begins the message anew.
    OfMessage,
    /// With its own first chunk: the client adds it to what it has.
    OfStep,
}

/// A fold of an answer, and what comes before its first chunk.
pub async fn begin(
    state: &Data<State>,
    group: &GroupName,
    answer: &AnswerId,
    reader: &RecordingReader,
    from: Beginning,
) -> StoreResult<(UiFold, Vec<UiChunk>)> {
    let cache = reader.head().cache;
    let goes_on = GoesOn::read(reader.about());
    let (mut message, mut earlier) = (goes_on.as_ref().map_or(answer, |it| &it.message).clone(), Vec::new());
    if let (Beginning::OfMessage, Some(goes_on)) = (from, goes_on) {
        match before(state, group, goes_on).await? {
            Some(steps) => {
                earlier = steps.iter().flat_map(|(step, after)| told_again(&step.parts, &after.outputs)).collect()
            }
            // What the client has of them is left as it is, and this is a message of its own.
            None => message = answer.clone(),
        }
    }
    let mut fold = UiFold::of_message(message.as_str(), answer.as_str(), cache);
    let mut told = fold.begin();
    // Behind the beginning of the message.
    told.splice(1..1, earlier);
    Ok((fold, told))
}

/// The steps before one that goes on, oldest first, each with what followed it. `None`: not all of them are kept any more.
pub(super) async fn before(
    state: &State,
    group: &GroupName,
    goes_on: GoesOn,
) -> StoreResult<Option<Vec<(Step, GoesOn)>>> {
    let mut steps = Vec::new();
    let mut next = Some(goes_on);
    while let Some(goes_on) = next {
        let Some(step) = read(state, group, &goes_on.after).await? else { return Ok(None) };
        if steps.len() >= MOST {
            return Ok(None);
        }
        next = step.goes_on.clone();
        steps.push((step, goes_on));
    }
    steps.reverse();
    Ok(Some(steps))
}

/// An answer of a group that is over. `None`: it is not kept (any more).
pub(super) async fn read(state: &State, group: &GroupName, answer: &AnswerId) -> StoreResult<Option<Step>> {
    let Some(mut reader) = state.node.answers.read(answer.clone()).await? else { return Ok(None) };
    if reader.head().owner != AnswerOwner::Group(group.clone()) {
        return Ok(None);
    }
    let mut parts = Parts::new(answer.as_str());
    let whole = async {
        loop {
            match reader.next().await {
                Recorded::Chunks(chunks) => chunks.iter().for_each(|chunk| _ = parts.chunk(chunk)),
                Recorded::End(_) => return true,
                Recorded::Gone => return false,
            }
        }
    };
    if timeout(TOLD_WITHIN, whole).await != Ok(true) {
        return Ok(None);
    }
    parts.close();
    Ok(Some(Step { answer: answer.clone(), parts, goes_on: GoesOn::read(reader.about()) }))
}

/// The id and the parts of the message of which an answer is the last step, as the client shows them. `None`: not all of it is kept.
pub(super) async fn message(
    state: &State,
    group: &GroupName,
    answer: &AnswerId,
) -> StoreResult<Option<(AnswerId, Vec<Value>)>> {
    let Some(last) = read(state, group, answer).await? else { return Ok(None) };
    let (mut id, mut parts) = (answer.clone(), Vec::new());
    if let Some(goes_on) = last.goes_on {
        id = goes_on.message.clone();
        let Some(steps) = before(state, group, goes_on).await? else { return Ok(None) };
        parts = steps.iter().flat_map(|(step, after)| shown(&step.parts, &after.outputs)).collect();
    }
    parts.extend(shown(&last.parts, &[]));
    Ok(Some((id, parts)))
}
