//! What operators do to groups and sessions, wherever in the cluster those are.

use std::slice::from_ref;

use crate::ids::{GroupName, SessionId};
use crate::orders::{self, Outcome};
use crate::protocol::CloseCode;
use crate::services::Services;
use crate::store::{Concerned, StoreError, StoreResult, Told};

/// Ends a group on every node: its log and index entry go, its members are told that they left. Returns how many
/// sessions that were, and which nodes have yet to do it; `None` if there was no such group.
///
/// # Errors
/// The store is away: the group may have ended in part, and the call may be repeated.
pub async fn end_group(services: &Services, group: &GroupName) -> StoreResult<Option<Outcome>> {
    let existed = services.stores.groups.delete(group).await?;
    let given = services.stores.orders.give(&Told::GroupEnded { group: group.clone() }, Concerned::Of(group)).await?;
    let left = end_group_here(services, group, None).await?;
    let mut outcome = orders::confirmed(services, &given, u64::MAX).await;
    outcome.done += left as u64;
    Ok((existed || outcome != Outcome::default()).then_some(outcome))
}

/// This node's part of [`end_group`]: who came after `before` (Unix milliseconds) stays.
pub(crate) async fn end_group_here(services: &Services, group: &GroupName, before: Option<u64>) -> StoreResult<usize> {
    let ended = services.registry.end_group(group.clone(), before).await;
    let expelled = ended.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    for session in &expelled {
        services.stores.sessions.remove_group(session, group).await?;
    }
    if services.roster.has_members(group) {
        // A session stays in its home group: its log begins anew.
        let states = services.stores.logs.open(from_ref(group)).await?;
        let logs = std::iter::once(group.clone()).zip(states).collect();
        _ = services.registry.resynced(logs, Vec::new()).await;
    }
    Ok(expelled.len())
}

/// Closes every socket of a session on every node: how many, and which nodes have yet to do it.
///
/// # Errors
/// The store is away, or the registry did not answer: some may be closed, and the call may be repeated.
pub async fn disconnect(services: &Services, session: &SessionId) -> StoreResult<Outcome> {
    let told = Told::Disconnected { session: session.clone() };
    let given = services.stores.orders.give(&told, Concerned::With(session)).await?;
    let here = disconnect_here(services, session, None).await?;
    let mut outcome = orders::confirmed(services, &given, u64::MAX).await;
    outcome.done += here as u64;
    Ok(outcome)
}

/// This node's part of [`disconnect`]: how many there were. A socket that came after `before` (Unix milliseconds) stays.
pub(crate) async fn disconnect_here(
    services: &Services,
    session: &SessionId,
    before: Option<u64>,
) -> StoreResult<usize> {
    let closed = services.registry.disconnect(session.clone(), CloseCode::ByOperator.into(), before).await;
    closed.map_err(|error| StoreError::Unavailable(error.to_string()))
}
