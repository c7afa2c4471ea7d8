//! Whom a session may ask: what is handed to every actor that carries out commands.

use std::sync::Arc;

use crate::actor::Unanswered;
use crate::admission::LimiterHandle;
use crate::answers::{AnswersHandle, Ask, Slots};
use crate::channel_layer::ChannelLayer;
use crate::django::Notifier;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::options::SessionOptions;
use crate::registry::{Answered, Deliver, Fanout, RegistryHandle, Roster};
use crate::store::{Stores, Told};

/// The other actors, the stores and the figures.
#[derive(Clone)]
#[allow(missing_docs, reason = "each field is named after its type")]
pub struct Node {
    pub roster: Arc<Roster>,
    pub registry: RegistryHandle,
    pub limiter: LimiterHandle,
    pub answers: AnswersHandle,
    pub slots: Slots,
    pub stores: Stores,
    pub layer: Arc<dyn ChannelLayer>,
    pub options: SessionOptions,
    pub metrics: Metrics,
    pub notifier: Notifier,
    pub ledger: Arc<Ledger>,
}

impl Node {
    /// Tells the other nodes. What cannot be told is not kept: it was about this moment.
    pub async fn tell_nodes(&self, told: &Told) {
        if let Err(error) = self.stores.feed.tell(told).await {
            log::debug!("other nodes not told error={error}");
            self.metrics.store_failed("tell");
        }
    }

    /// Delivers what this node has logged, and tells Django of it.
    ///
    /// # Errors
    /// The registry did not take it; the group's next event shows the gap.
    pub async fn deliver(&self, deliver: Deliver) -> Answered<()> {
        self.notifier.logged(&deliver.event);
        self.registry.deliver(deliver).await
    }

    /// Hands a question over. One that is not taken is owed (whoever finds that nobody began it ends it), costs no tokens and holds no
    /// slot.
    pub async fn ask(&self, ask: Ask) {
        let permit = ask.permit.clone();
        let holder = ask.slot.as_ref().map(|slot| slot.holder().to_owned());
        if let Err(Unanswered) = self.answers.ask(ask).await {
            // A mailbox that comes to it later passes over it, as nobody waits for its reply any more; its slot is not held until then.
            holder.iter().for_each(|holder| self.slots.free(holder));
            self.limiter.settle(permit, 0).await;
        }
    }

    /// Sends an unlogged frame to a group's sockets on every node.
    ///
    /// # Errors
    /// The registry did not take it.
    pub async fn fan_out(&self, fanout: Fanout) -> Answered<()> {
        let Fanout { group, frame, except } = fanout.clone();
        self.registry.fan_out(fanout).await?;
        self.tell_nodes(&Told::Frame { group, frame, except }).await;
        Ok(())
    }
}
