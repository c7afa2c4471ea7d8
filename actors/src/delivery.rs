//! What becomes of an event that this node has logged: it is counted, Django is told, and everybody here gets it.

use crate::ids::{Epoch, GroupName};
use crate::metrics::Metrics;
use crate::notifier::Notifier;
use crate::registry::{Deliver, RegistryHandle};
use crate::store::StoredEvent;
use crate::tails::Tails;

/// Whom to tell of what was logged.
#[derive(Clone)]
pub struct Delivery {
    /// Delivers to the sockets of this node.
    pub registry: RegistryHandle,
    /// Tells those who read along without a socket.
    pub tails: Tails,
    /// Tells Django.
    pub notifier: Notifier,
    /// Figures.
    pub metrics: Metrics,
}

impl Delivery {
    /// An event was logged by this node: it counts, and goes to everybody. Should the registry not take it, the group's next event
    /// shows the gap.
    pub async fn logged(&self, group: GroupName, epoch: Epoch, event: StoredEvent) {
        self.count();
        self.deliver(group, Some(epoch), event, false).await;
    }

    /// The first half of [`Self::logged`], for who acknowledges in between.
    pub(crate) fn count(&self) {
        self.metrics.logged.inc();
    }

    /// The second half. Django is not told what it said itself. Without the epoch, the registry reads the log as far as this event.
    pub(crate) async fn deliver(&self, group: GroupName, epoch: Option<Epoch>, event: StoredEvent, is_django: bool) {
        self.tails.grew(&group);
        if !is_django {
            self.notifier.logged(&event);
        }
        _ = match epoch {
            Some(epoch) => self.registry.deliver(Deliver { group, epoch, event }).await,
            None => self.registry.reached(group, event.seq).await,
        };
    }
}
