//! People beside the assistant: a group asks for one, operators take over, hand back, or let it be.

use crate::ids::{CommandId, GroupName};
use crate::node::Node;
use crate::protocol::{ErrorCode, Refusal};
use crate::store::{Act, Asked, Asker, Change, StoreResult};

/// What is said where an id was used for something else.
pub(crate) const USED_ID: &str = "this id was used for something else; choose a new one";
/// When a group may ask again that was refused since the queue is full, in milliseconds.
const FULL_MS: u64 = 60_000;

/// Lets a group wait for a person. Under one id of a session it counts once.
///
/// # Errors
/// The store is away; or, within, as many groups wait as may.
pub(crate) async fn ask(
    node: &Node,
    group: &GroupName,
    asker: &Asker,
    id: Option<&CommandId>,
) -> StoreResult<Result<(), Refusal>> {
    match node.stores.desk.ask(group, asker, id.map(CommandId::as_str)).await? {
        Asked::Noted { change, first } => {
            if first {
                let session = &asker.session;
                log::info!(event = "person_asked", group:%, session:%, waiting = change.waiting; "a group asks for a person");
            }
            pass_on(node, group, change).await;
            Ok(Ok(()))
        }
        Asked::Again => Ok(Ok(())),
        Asked::Conflict => Ok(Err(Refusal::new(ErrorCode::BadRequest, USED_ID))),
        Asked::Full => {
            let message = "too many chats wait for a person already; try again in a minute";
            Ok(Err(Refusal { retry_after_ms: Some(FULL_MS), ..Refusal::new(ErrorCode::Busy, message) }))
        }
    }
}

/// Does with a group what an operator wants. `None`: the group that is to be dismissed does not wait.
///
/// # Errors
/// The store is away: it may be done, and the call may be repeated.
pub async fn settle(node: &Node, group: &GroupName, act: Act) -> StoreResult<Option<bool>> {
    let Some(change) = node.stores.desk.settle(group, act).await? else { return Ok(None) };
    let assistant = change.attendance.assistant;
    pass_on(node, group, change).await;
    Ok(Some(assistant))
}

/// Tells those of this node at once; the store has told all nodes.
async fn pass_on(node: &Node, group: &GroupName, change: Change) {
    let Change { attendance, told, waiting } = change;
    node.metrics.people_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    if let Some(told) = &told {
        node.delivery.notifier.person(told);
    }
    _ = node.registry.attended(vec![(group.clone(), attendance)]).await;
}
