//! Stopping a response, and deleting it: at any node, whichever writes it.

use std::time::Duration;

use actix_web::web::Data;
use sophie_actors::cluster;

use super::kept::{Gone, KeptResponse};
use super::refusal::{away, not_yet};
use crate::http::State;
use crate::http::gateway::GatewayError;

/// How long it is waited for the end of what was stopped: for longer than a writer that is gone counts as alive.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// Has a response end, unless it has, and waits for that.
///
/// # Errors
/// It is gone; the store is away.
pub(super) async fn stop(state: &Data<State>, response: &mut KeptResponse) -> Result<(), GatewayError> {
    response.read_now().await?;
    if response.has_ended() {
        return Ok(());
    }
    cluster::stop_recorded(&state.node, &response.answer).await.map_err(away)?;
    match response.ends_within(ENDS_WITHIN).await {
        Ok(true) => Ok(()),
        // It is asked again, and then finds it stopped.
        Ok(false) => Err(not_yet()),
        Err(Gone) => Err(response.unknown()),
    }
}

/// Has nothing be known of a response any more. What still writes it is stopped before, or it would be written anew.
///
/// # Errors
/// As for [`stop`].
pub(super) async fn delete(state: &Data<State>, response: &mut KeptResponse) -> Result<(), GatewayError> {
    stop(state, response).await?;
    state.node.answers.forget(response.answer.clone()).await.map_err(away)?;
    Ok(())
}
