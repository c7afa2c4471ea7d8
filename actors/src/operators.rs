//! What operators do to groups and sessions, wherever in the cluster those are.

use std::slice::from_ref;

use actix::MailboxError;

use crate::ids::{GroupName, SessionId};
use crate::messages::{Disconnect, EndGroup, Resynced};
use crate::protocol::CloseCode;
use crate::services::{PATIENCE, Services};
use crate::store::{StoreResult, Told};

/// Ends a group on every node: its log and index entry go, its members are told that they left. Returns how many
/// sessions of this node that were; `None` if there was no such group.
///
/// # Errors
/// The store is away: the group may have ended in part, and the call may be repeated.
pub async fn end_group(services: &Services, group: &GroupName) -> StoreResult<Option<usize>> {
    let existed = services.stores.groups.delete(group).await?;
    services.tell_nodes(&Told::GroupEnded { group: group.clone() }).await;
    let left = end_group_here(services, group).await?;
    Ok((existed || left > 0).then_some(left))
}

/// This node's part of [`end_group`].
pub(crate) async fn end_group_here(services: &Services, group: &GroupName) -> StoreResult<usize> {
    let ended = services.registry.send(EndGroup(group.clone())).timeout(PATIENCE).await;
    let expelled = ended.unwrap_or_else(|error| {
        log::error!("registry did not end a group error={error}");
        Vec::new()
    });
    for session in &expelled {
        services.stores.sessions.remove_group(session, group).await?;
    }
    if services.roster.has_members(group) {
        // A session stays in its home group: its log begins anew.
        let states = services.stores.logs.open(from_ref(group)).await?;
        let logs = std::iter::once(group.clone()).zip(states).collect();
        if let Err(error) = services.registry.send(Resynced { logs, answers: Vec::new() }).timeout(PATIENCE).await {
            log::error!("registry did not take where a log stands error={error}");
        }
    }
    Ok(expelled.len())
}

/// Closes every socket of a session on every node. Whether it has one here.
///
/// # Errors
/// The registry did not answer.
pub async fn disconnect(services: &Services, session: &SessionId) -> Result<bool, MailboxError> {
    services.tell_nodes(&Told::Disconnected { session: session.clone() }).await;
    disconnect_here(services, session).await
}

/// This node's part of [`disconnect`].
pub(crate) async fn disconnect_here(services: &Services, session: &SessionId) -> Result<bool, MailboxError> {
    let disconnect = Disconnect { session: session.clone(), close: CloseCode::ByOperator.into() };
    services.registry.send(disconnect).timeout(PATIENCE).await
}
