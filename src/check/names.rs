//! Whether the name of this node is free: two processes of one name would be taken for one.

use sophie_actors::channel_layer::key_on_first_shard;
use sophie_actors::metrics::Metrics;
use sophie_actors::redis::{Bounds, Budgets};
use sophie_actors::store::redis;
use tokio::time::timeout;

use super::PROBE;
use super::finding::{Area, Finding};
use super::holder::{Holder, holder};
use crate::app::redis_options;
use crate::settings::Settings;

const SUBJECT: &str = "server.node";

pub(super) async fn findings(settings: &Settings) -> Vec<Finding> {
    let node = &settings.server.node;
    if node.is_empty() {
        return Vec::new();
    }
    let Ok(Some(names)) = timeout(PROBE, living(settings)).await else { return Vec::new() };
    if !names.iter().any(|name| name == node) {
        return vec![Finding::ok("node_ok", Area::Node, SUBJECT, format!("{node} is free, of {} nodes", names.len()))];
    }
    if holder(settings).await == Holder::Ours {
        return vec![Finding::ok("node_ok", Area::Node, SUBJECT, format!("{node} is the node that runs here"))];
    }
    vec![Finding::warning(
        "node_taken",
        Area::Node,
        SUBJECT,
        format!("a node that lives has the name {node}"),
        format!("a second one goes on as {node}-2, and figures of the two are told apart by that"),
        "give each node a name of its own, or leave server.node empty",
    )]
}

/// The names of the nodes that live; none if Redis does not say.
async fn living(settings: &Settings) -> Option<Vec<String>> {
    let key = key_on_first_shard(settings.layer_urls().len());
    let budgets = Budgets { append: PROBE, other: PROBE };
    let options = redis_options(settings, key, budgets, Bounds::default());
    let (stores, _) = redis::connect(options, &Metrics::new().dependencies).await.ok()?;
    let nodes = stores.presence.nodes().await.ok()?;
    Some(nodes.into_iter().map(|node| node.node.to_string()).collect())
}
