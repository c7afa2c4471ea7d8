//! The layer's hosts, in ring order, each behind the guard that the stores' databases have.

use std::time::Duration;

use futures_util::future::join_all;

use super::LayerOptions;
use crate::backoff::Backoff;
use crate::dependencies::{Dependencies, ServerRefusals};
use crate::redis::{Budgets, Database, Looked, Needs, Source, inspect_url};
use crate::store::{StoreError, StoreResult};

/// What a call may take: none of them is on the way of a chat message.
const BUDGET: Duration = Duration::from_secs(2);
/// Between the first two attempts to connect.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// Between two attempts, at most.
const LAST_RETRY: Duration = Duration::from_secs(2);

/// Connections that this node has at most to each host at a time: for calls, to wait for messages, to look who answers there;
/// with `pubsub`, where channels are heard by right, to try that right.
pub fn connections_per_host(pubsub: bool) -> usize {
    3 + usize::from(pubsub)
}

/// Looks once at a host of the layer, and whether it lets a node do all that it does there.
///
/// # Errors
/// The URL cannot be read.
pub async fn inspect_host(url: &str, prefix: &str, pubsub: bool) -> StoreResult<Looked> {
    inspect_url(url, &Needs::layer(prefix, pubsub, &ServerRefusals::default())).await
}

/// A source for each host.
pub(super) fn sources(options: &LayerOptions) -> StoreResult<Vec<Source>> {
    if options.hosts.is_empty() {
        return Err(StoreError::Unavailable("the channel layer has no host".into()));
    }
    options.hosts.iter().map(|url| Source::new(url, &options.bound)).collect()
}

/// A guarded connection to each host. Those that are away are tried for ever.
pub(super) async fn open(
    sources: Vec<Source>,
    options: &LayerOptions,
    pubsub: bool,
    dependencies: &Dependencies,
) -> Vec<Database> {
    let budgets = Budgets { append: BUDGET, other: BUDGET };
    let opening = sources.into_iter().enumerate().map(|(at, source)| {
        let host = dependencies.layer(at, options.hosts.len());
        let needs = Needs::layer(&options.prefix, pubsub, &dependencies.refusals);
        Database::open(host.name(), source, budgets, vec![host.clone()], needs, dependencies.calls(host.name()))
    });
    join_all(opening).await
}

/// How long whoever waits at a host for messages waits before it connects again.
pub(super) fn backoff() -> Backoff {
    Backoff::between(FIRST_RETRY, LAST_RETRY)
}
