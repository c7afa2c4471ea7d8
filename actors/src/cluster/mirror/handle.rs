//! The mirror as everybody else knows it.

use actix::prelude::*;

use super::{Mirror, Resign};
use crate::actor::{Unanswered, ask};

/// The mirror.
#[derive(Debug, Clone)]
pub struct MirrorHandle(Addr<Mirror>);

impl From<Addr<Mirror>> for MirrorHandle {
    fn from(actor: Addr<Mirror>) -> Self {
        Self(actor)
    }
}

impl MirrorHandle {
    /// Gives up every membership of this node, which is going.
    ///
    /// # Errors
    /// No answer in time, or it has ended: the memberships expire by themselves.
    pub async fn resign(&self) -> Result<(), Unanswered> {
        ask(&self.0, "mirror", "resign", Resign).await
    }
}
