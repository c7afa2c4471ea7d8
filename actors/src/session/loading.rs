//! What a session reads before anything else: its record, and where its groups stand.

use std::sync::Arc;

use crate::aside::{in_parts, set_aside};
use crate::cluster::leave_lost;
use crate::ids::{GroupName, SessionId, UserId};
use crate::node::Node;
use crate::registry::Enter;
use crate::socket::Attached;
use crate::store::StoreError;

/// Reads the record and enters the groups. Whether that worked.
pub(super) async fn load(node: Arc<Node>, session: SessionId) -> bool {
    let Ok(record) = node.stores.sessions.load(&session).await else { return false };
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
    let read = in_parts(&groups, groups.len(), look, |group, error| set_aside("group", group, error)).await;
    if read.is_err() || opened.iter().all(|(group, _)| *group != session.home()) {
        return false;
    }
    let enter = Enter {
        user: record.owner.unwrap_or_else(|| UserId::guest(&session)),
        session,
        groups: opened,
        answers,
        announce: false,
        joining: None,
    };
    node.registry.enter(enter).await.is_ok()
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
