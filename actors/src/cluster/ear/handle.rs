//! The ear as everybody else knows it.

use actix::prelude::*;

use super::{Ear, Listen};
use crate::actor::{Unanswered, ask};
use crate::registry::FillGap;

/// The ear.
#[derive(Debug, Clone)]
pub struct EarHandle(Addr<Ear>);

impl From<Addr<Ear>> for EarHandle {
    fn from(actor: Addr<Ear>) -> Self {
        Self(actor)
    }
}

impl EarHandle {
    /// For the registry, which waits for nobody: who reads what was missed.
    pub fn reader(&self) -> Recipient<FillGap> {
        self.0.clone().recipient()
    }

    /// Begins to listen to the other nodes and to Django.
    ///
    /// # Errors
    /// No answer in time, or it has ended.
    pub async fn listen(&self, listen: Listen) -> Result<(), Unanswered> {
        ask(&self.0, "ear", "listen", listen).await
    }
}
