//! The relay: reads logs for the registry, which waits for nobody.
//!
//! Owns: the reading of logs where the registry saw a gap. Receives: gaps. Sends: what they held, to the registry.
//! Ends when: never; its end ends the process.

use std::sync::Arc;

use actix::prelude::*;

use crate::exit::ExitGuard;
use crate::messages::{FillGap, Filled};
use crate::services::PATIENCE;
use crate::store::{Logs, PageSize};

/// Gaps that may wait; a group has at most one at a time.
const MAILBOX: usize = 16_384;
/// What is read of a gap at once; the registry asks again for the rest.
const PAGE: PageSize = PageSize { events: 500, bytes: 4 * 1024 * 1024 };

/// The actor.
pub struct Relay {
    logs: Arc<dyn Logs>,
    _exit: ExitGuard,
}

impl Relay {
    /// A relay that reads from `logs`.
    pub fn new(logs: Arc<dyn Logs>, exit: ExitGuard) -> Self {
        Self { logs, _exit: exit }
    }
}

impl Actor for Relay {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<FillGap> for Relay {
    type Result = ();

    fn handle(&mut self, FillGap { group, after, reply_to }: FillGap, ctx: &mut Context<Self>) {
        let logs = self.logs.clone();
        let fill = async move {
            let page = match logs.read_after(&group, after, PAGE).await {
                Ok(page) => page.epoch.map(|epoch| (epoch, page.events)),
                Err(error) => {
                    log::debug!("gap not filled group={group} after={after} error={error}");
                    None
                }
            };
            _ = reply_to.send(Filled { group, page }).timeout(PATIENCE).await;
        };
        ctx.spawn(fill.into_actor(self));
    }
}
