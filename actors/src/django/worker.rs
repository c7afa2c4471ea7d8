//! Supplies Django's worker: what waits in its queue goes to one plain channel, in order, sent by one node at a time. An
//! entry leaves the queue when it is in the channel, so a full channel, a Redis that is away or the death of a node
//! costs time, not an entry.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::node::Node;
use crate::notifier::{of_logged, of_told};
use crate::protocol::DjangoEvent;
use crate::repeated::Reminder;
use crate::store::{Happened, StoreResult};

/// How long a node supplies the worker alone, unless it renews that, in seconds: so long a dead one is waited for.
const TURN_SECONDS: u64 = 5;
/// How often the queue is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How often a node that does not supply looks whether it should.
const LOOK_FOR_TURN: Duration = Duration::from_secs(1);
/// How often what waits in the channel is kept from expiring.
const FRESHEN: Duration = Duration::from_secs(1);
/// How soon it is tried again after a failure.
const RETRY: Duration = Duration::from_millis(500);
/// How long a channel may be full before anything is said of it.
const PATIENT: Duration = Duration::from_secs(5);

/// Supplies `channel` with what of `kinds` happens in the whole cluster, for ever.
pub(crate) async fn supply(node: &Node, channel: &str, kinds: &[DjangoEvent]) {
    let mut reminder = Reminder::default();
    let mut freshened = Instant::now();
    let mut full_since: Option<Instant> = None;
    loop {
        let supplied = empty_queue(node, channel, kinds).await;
        if !matches!(supplied, Ok(Supplied::NotOurTurn))
            && let Err(error) = node.layer.spread(channel).await
        {
            log::debug!(error:%; "the worker's channel was not spread over its hosts");
        }
        if !matches!(supplied, Ok(Supplied::NotOurTurn)) && freshened.elapsed() >= FRESHEN {
            freshened = Instant::now();
            if let Err(error) = node.layer.keep_fresh(channel).await {
                log::debug!(error:%; "the worker's channel was not kept fresh");
            }
        }
        let full = matches!(supplied, Ok(Supplied::Full));
        let pause = match supplied {
            Ok(Supplied::All) => LOOK,
            Ok(Supplied::NotOurTurn) => LOOK_FOR_TURN,
            Ok(Supplied::Full) => {
                node.metrics.to_worker.with_label_values(&["full"]).inc();
                let since = *full_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= PATIENT && reminder.is_due(Instant::now()) {
                    log::warn!(
                        event = "worker_channel_full", channel;
                        "the worker's channel is full, does the worker run?"
                    );
                }
                LOOK
            }
            Err(error) => {
                log::debug!(error:%; "the worker was not supplied");
                node.metrics.store_failed("worker");
                RETRY
            }
        };
        if !full {
            full_since = None;
        }
        sleep(pause).await;
    }
}

enum Supplied {
    All,
    Full,
    NotOurTurn,
}

async fn empty_queue(node: &Node, channel: &str, kinds: &[DjangoEvent]) -> StoreResult<Supplied> {
    let stores = &node.stores;
    loop {
        if !stores.leases.hold("worker", TURN_SECONDS).await? {
            return Ok(Supplied::NotOurTurn);
        }
        let waiting = stores.worker_queue.waiting().await?;
        if waiting.is_empty() {
            return Ok(Supplied::All);
        }
        for entry in waiting {
            let told = match &entry.happened {
                Happened::Logged(event) => of_logged(event),
                Happened::Told(told) => of_told(told),
            };
            if let Some((_, _, fields)) = told.filter(|(kind, ..)| kinds.contains(kind)) {
                if !node.layer.tell_channel(channel, &fields, &entry.id).await? {
                    return Ok(Supplied::Full);
                }
                node.metrics.to_worker.with_label_values(&["sent"]).inc();
            }
            stores.worker_queue.done(&entry.id).await?;
        }
    }
}
