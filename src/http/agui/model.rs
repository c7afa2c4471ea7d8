//! Which models a run may ask.

use sophie_actors::openai::models::id;
use sophie_actors::protocol::Refusal;

use crate::http::{ApiError, State};

/// How many models are named to who asks for one that there is not.
const MOST_NAMED: usize = 20;

/// Whether a model can be asked: it is one of those that `/v1/models` lists.
///
/// # Errors
/// 404, with what there is.
pub(super) async fn check(state: &State, model: &str) -> Result<(), ApiError> {
    let offered = state.node.answers.models().await.map_err(|_| Refusal::internal())?;
    if offered.iter().any(|offered| id(offered) == Some(model)) {
        return Ok(());
    }
    let names: Vec<&str> = offered.iter().filter_map(id).take(MOST_NAMED).collect();
    let more = if offered.len() > names.len() { ", and others" } else { "" };
    Err(ApiError::not_found(format!("there is no such model; there is {}{more}", names.join(", "))))
}
