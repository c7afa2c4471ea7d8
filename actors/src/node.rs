//! Whom a session may ask: what is handed to every actor that carries out commands.

use std::sync::Arc;

use crate::admission::{Admitted, LimiterHandle, Slots};
use crate::answers::{AnswersHandle, Ask};
use crate::channel_layer::ChannelLayer;
use crate::delivery::Delivery;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::options::SessionOptions;
use crate::registry::{Answered, Fanout, RegistryHandle, Roster};
use crate::spans::Tracing;
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
    pub delivery: Delivery,
    pub ledger: Arc<Ledger>,
    pub tracing: Tracing,
}

impl Node {
    /// Tells the other nodes. What cannot be told is not kept: it was about this moment.
    pub async fn tell_nodes(&self, told: &Told) {
        if let Err(error) = self.stores.feed.tell(told).await {
            log::debug!(error:%; "other nodes were not told");
            self.metrics.store_failed("tell");
        }
    }

    /// Hands a question over. One that is not taken is owed: whoever finds that nobody began it ends it. What was reserved for it
    /// is given back.
    pub async fn ask(&self, ask: Ask, admitted: Admitted) {
        _ = self.answers.ask(ask, admitted).await;
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
