//! Ending an answer on behalf of somebody who may, wherever it is written.

use super::orders::{self, CarriedOut};
use crate::answers::Stopped;
use crate::ids::AnswerId;
use crate::node::Node;
use crate::store::{Concerned, StoreResult, Told};

/// Stops an answer: how often that was done, and which nodes have yet to do it. `None`: it is not under way (any more).
///
/// # Errors
/// The store is away: the call may be repeated.
pub async fn stop(node: &Node, answer: &AnswerId) -> StoreResult<Option<CarriedOut>> {
    stop_because(node, answer, Stopped::Cancelled).await
}

/// The same, for a reason.
///
/// # Errors
/// As for [`stop`].
pub(super) async fn stop_because(node: &Node, answer: &AnswerId, why: Stopped) -> StoreResult<Option<CarriedOut>> {
    if node.answers.stop_here(answer.clone(), why).await == Ok(true) {
        return Ok(Some(CarriedOut::default()));
    }
    if node.stores.answers.find(answer).await?.is_none() {
        return Ok(None);
    }
    stop_elsewhere(node, answer.clone(), why).await
}

/// Stops the recorded answer of an API caller, which has not ended as far as is known: as [`stop`].
///
/// # Errors
/// As for [`stop`].
pub async fn stop_recorded(node: &Node, answer: &AnswerId) -> StoreResult<Option<CarriedOut>> {
    let why = Stopped::Cancelled;
    if node.answers.stop_here(answer.clone(), why).await == Ok(true) {
        return Ok(Some(CarriedOut::default()));
    }
    stop_elsewhere(node, answer.clone(), why).await
}

/// Has an answer stopped that another node writes.
///
/// # Errors
/// As for [`stop`].
pub(crate) async fn stop_elsewhere(node: &Node, answer: AnswerId, why: Stopped) -> StoreResult<Option<CarriedOut>> {
    let steered = why == Stopped::Steered;
    let given = node.stores.orders.give(&Told::Cancelled { answer, steered }, Concerned::Everybody).await?;
    let outcome = orders::confirmed(node, &given, 1).await;
    Ok((outcome != CarriedOut::default()).then_some(outcome))
}
