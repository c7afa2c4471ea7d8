//! That a node is there.

use super::*;
use crate::ids::NodeId;

/// What some node tells of itself.
pub(in crate::store) fn node_info() -> NodeInfo {
    NodeInfo {
        node: NodeId::from("n1"),
        version: "1".into(),
        since: "2026-01-01T00:00:00.000Z".into(),
        sockets: 3,
        sessions: 2,
        groups: 1,
        draining: false,
        mailbox_ms: std::collections::BTreeMap::new(),
        figures: NodeFigures::default(),
        edge: Vec::new(),
    }
}

pub(in crate::store) async fn the_first_heartbeat_tells_that_the_node_was_not_known(stores: Stores) {
    let groups = [group("team"), group(&"g".repeat(99))];
    stores.membership.join(&groups).await.expect("joined");
    stores.membership.join(&groups).await.expect("renewed");
    assert!(!stores.membership.heartbeat(&node_info()).await.expect("beaten").known);
    assert!(stores.membership.heartbeat(&node_info()).await.expect("beaten").known);
    stores.membership.leave(&groups).await.expect("left");
    stores.membership.resign().await.expect("resigned");
    assert!(!stores.membership.heartbeat(&node_info()).await.expect("beaten").known);
}
