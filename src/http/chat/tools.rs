//! The tools that an answer asked for, and what comes back of them.

use std::collections::HashSet;

use actix_web::http::StatusCode;
use sophie_actors::answers::AskedWith;
use sophie_actors::dialects::ui::request::ToolOutput;
use sophie_actors::dialects::ui::{GoesOn, calls, to_chat};
use sophie_actors::ids::{AnswerId, GroupName};
use sophie_actors::store::StoreResult;

use super::refusal::ChatRefusal;
use super::steps::{self, Step};
use crate::http::{ApiError, State};

/// Bytes of the results of one step, at most: they are kept beside the answer.
const MOST_BYTES: usize = 1 << 20;

/// An answer that asked for tools, with the steps before it.
pub(super) struct Asked {
    before: Vec<(Step, GoesOn)>,
    last: Step,
}

/// What an answer asked for. `None`: it is not known any more.
pub(super) async fn asked_by(state: &State, group: &GroupName, answer: &AnswerId) -> StoreResult<Option<Asked>> {
    let Some(last) = steps::read(state, group, answer).await? else { return Ok(None) };
    let before = match last.goes_on.clone() {
        Some(goes_on) => steps::before(state, group, goes_on).await?,
        None => Some(Vec::new()),
    };
    Ok(before.map(|before| Asked { before, last }))
}

impl Asked {
    /// Puts the calls of all steps and their results into what the next one is asked with. `message`: what the client calls the message.
    ///
    /// # Errors
    /// The results are none of this answer, or not all of them.
    pub(super) fn answer_with(
        self,
        message: &str,
        mut outputs: Vec<ToolOutput>,
        with: &mut AskedWith,
    ) -> Result<(), ChatRefusal> {
        let Self { before, last } = self;
        let root = before.first().map_or(&last.answer, |(step, _)| &step.answer).clone();
        if message != root.as_str() && message != last.answer.as_str() {
            return Err(ChatRefusal::conflict("the chat has gone on since these tools were asked for"));
        }
        let asked: HashSet<&str> = calls(&last.parts).map(|(id, ..)| id).collect();
        // Those of earlier steps are told again.
        outputs.retain(|output| asked.contains(output.call.as_str()));
        if asked.is_empty() || before.len() + 1 >= steps::MOST {
            return Err(
                ApiError::bad_request("this answer asked for no tools, or for too many one after the other").into()
            );
        }
        if outputs.len() < asked.len() {
            return Err(ApiError::bad_request("the result of a tool is missing").into());
        }
        for (step, after) in &before {
            with.behind.extend(to_chat(&step.parts, &after.outputs));
        }
        with.behind.extend(to_chat(&last.parts, &outputs));
        let about = GoesOn { message: root, after: last.answer, outputs }.write();
        if about.len() > MOST_BYTES {
            let message = "the results of the tools are longer than 1 MiB";
            return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message).into());
        }
        with.about = Some(about);
        Ok(())
    }
}
