//! What operators do to groups and sessions, wherever in the cluster those are.

use super::orders::{self, CarriedOut};
use super::people;
use crate::ids::{GroupName, SessionId};
use crate::node::Node;
use crate::store::{Act, Concerned, StoreResult, Told};

/// Ends a group on every node: its log and index entry go, its members are told that they left. Returns how many
/// sessions that were, and which nodes have yet to do it; `None` if there was no such group.
///
/// # Errors
/// The store is away: the group may have ended in part, and the call may be repeated.
pub async fn end_group(node: &Node, group: &GroupName) -> StoreResult<Option<CarriedOut>> {
    // Who asked there for a person is told that nobody comes.
    people::settle(node, group, Act::Dismiss).await?;
    let existed = node.stores.groups.delete(group).await?;
    let given = node.stores.orders.give(&Told::GroupEnded { group: group.clone() }, Concerned::Of(group)).await?;
    let left = orders::end_group_here(node, group, None).await?;
    let mut outcome = orders::confirmed(node, &given, u64::MAX).await;
    outcome.done += left as u64;
    Ok((existed || outcome != CarriedOut::default()).then_some(outcome))
}

/// Closes every socket of a session on every node: how many, and which nodes have yet to do it.
///
/// # Errors
/// The store is away, or the registry did not answer: some may be closed, and the call may be repeated.
pub async fn disconnect(node: &Node, session: &SessionId) -> StoreResult<CarriedOut> {
    let told = Told::Disconnected { session: session.clone() };
    let given = node.stores.orders.give(&told, Concerned::With(session)).await?;
    let here = orders::disconnect_here(node, session, None).await?;
    let mut outcome = orders::confirmed(node, &given, u64::MAX).await;
    outcome.done += here as u64;
    Ok(outcome)
}
