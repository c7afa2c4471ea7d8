//! Between Django and the groups: what Django's `group_send` and `send` mean here, and what Django is told.

mod inbound;
mod outbound;
mod worker;

pub use outbound::{Courier, Notifier};

use std::sync::Arc;

pub(crate) use inbound::listen;
pub(crate) use worker::supply;

use crate::channel_layer::ChannelLayer;
use crate::metrics::Metrics;
use crate::registry::{RegistryHandle, Roster};
use crate::store::Stores;

/// What Django's messages reach here, and where its worker's wait.
#[derive(Clone)]
pub struct Reach {
    /// Who is in which group.
    pub roster: Arc<Roster>,
    /// Delivers.
    pub registry: RegistryHandle,
    /// Logs, turns, what waits for the worker.
    pub stores: Stores,
    /// The way from and to Django.
    pub layer: Arc<dyn ChannelLayer>,
    /// Figures.
    pub metrics: Metrics,
}
