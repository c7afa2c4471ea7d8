//! What a session reads before anything else: its record, and where its groups stand.

use std::sync::Arc;

use crate::actor::Unanswered;
use crate::aside::{in_parts, set_aside};
use crate::cluster::leave_lost;
use crate::ids::{GroupName, SessionId, UserId};
use crate::node::Node;
use crate::registry::Enter;
use crate::socket::Attached;
use crate::store::StoreError;

/// Why a session is not opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotLoaded {
    /// The store did not tell its record, or where its groups stand.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the store holds of its own conversation is not what it should be.
    #[error("the log of its home group cannot be read")]
    HomeUnreadable,
    /// The registry did not enter it.
    #[error(transparent)]
    Registry(#[from] Unanswered),
}

/// Reads the record and enters the groups.
pub(super) async fn load(node: Arc<Node>, session: SessionId) -> Result<(), NotLoaded> {
    let record = node.stores.sessions.load(&session).await?;
    let mut groups = vec![session.home()];
    groups.extend(record.groups);
    let (mut opened, mut answers) = (Vec::new(), Vec::new());
    let look = async |part: &[GroupName]| {
        let states = node.registry.look_at(&node.stores, part).await?;
        opened.extend(states.logs);
        answers.extend(states.answers);
        Ok(())
    };
    // A group whose log cannot be read is left out; the others are entered.
    in_parts(&groups, groups.len(), look, |group, error| set_aside("group", group, error)).await?;
    if opened.iter().all(|(group, _)| *group != session.home()) {
        return Err(NotLoaded::HomeUnreadable);
    }
    let enter = Enter {
        user: record.owner.unwrap_or_else(|| UserId::guest(&session)),
        session,
        groups: opened,
        answers,
        announce: false,
        elsewhere: false,
        joining: None,
    };
    node.registry.enter(enter).await?;
    Ok(())
}

/// Groups that were loaded, or joined by another socket, while this one was on its way with fewer rights.
pub(super) async fn lost_meanwhile(
    node: &Node,
    session: &SessionId,
    socket: &Attached,
) -> Result<Vec<GroupName>, StoreError> {
    if socket.access.rights().is_none() {
        return Ok(Vec::new());
    }
    let record = node.stores.sessions.load(session).await?;
    leave_lost(node, session, socket.access.user(), &record).await
}
