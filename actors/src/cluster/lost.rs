//! Leaving what a session may no longer be in: asked at every connect, load and refresh, for the sockets of every node.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::orders;
use crate::ids::{GroupName, SessionId, UserId};
use crate::node::Node;
use crate::rights::Shown;
use crate::store::{Concerned, Given, SessionRecord, StoreResult, Told};

/// Notes what a client has shown, and makes its session leave what the newest that was shown does not allow. Returns what
/// was left.
///
/// # Errors
/// The store is away. What could be left is left; the next connect or refresh does the rest.
pub async fn hold_to(node: &Node, session: &SessionId, user: &UserId, shown: &Shown) -> StoreResult<Vec<GroupName>> {
    let record = node.stores.sessions.grant(session, shown).await?;
    leave_lost(node, session, user, &record).await
}

/// Makes a session leave what its record does not allow, wherever its sockets are. Returns what was left.
///
/// # Errors
/// As for [`hold_to`].
pub(crate) async fn leave_lost(
    node: &Node,
    session: &SessionId,
    user: &UserId,
    record: &SessionRecord,
) -> StoreResult<Vec<GroupName>> {
    let Some(rights) = &record.rights else { return Ok(Vec::new()) };
    let mut lost: BTreeSet<GroupName> = node.roster.groups_of(session).into_iter().collect();
    lost.extend(record.groups.iter().cloned());
    lost.retain(|group| !rights.allow(group, session));
    let (mut outcome, mut given) = (Ok(()), Vec::new());
    for group in &lost {
        log::info!(event = "group_lost", session:%, group:%; "a session may no longer be in a group");
        // First whatever shows events here, then what is remembered: the store may be too late.
        _ = node.registry.leave(session.clone(), user.clone(), group.clone()).await;
        match remove(node, session, user, group).await {
            Ok(order) => given.push(order),
            Err(error) => outcome = Err(error),
        }
    }
    // With the reply it is done at the other nodes too, as far as they live.
    join_all(given.iter().map(|order| orders::confirmed(node, order, u64::MAX))).await;
    outcome.map(|()| lost.into_iter().collect())
}

/// Out of the record, and then by an order, which asks the record where it comes late.
async fn remove(node: &Node, session: &SessionId, user: &UserId, group: &GroupName) -> StoreResult<Given> {
    node.stores.sessions.remove_group(session, group).await?;
    let told = Told::Left { group: group.clone(), session: session.clone(), user: user.clone() };
    node.stores.orders.give(&told, Concerned::With(session)).await
}
