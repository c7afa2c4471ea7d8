//! The ear: brings the registry what it cannot wait for. It reads logs and records where something was missed, and
//! passes on what other nodes and Django tell.
//!
//! Owns: the listening to the other nodes and to Django, and the ordered way out to Django. Receives: gaps. Sends: what they held, and what was heard, to the registry.
//! Ends when: never; its end ends the process.

mod gaps;
mod handle;

use std::sync::Arc;

use actix::prelude::*;

use gaps::GapFiller;
pub use handle::EarHandle;

use super::OrderDesk;
use super::leave_lost;
use crate::actor::ExitGuard;
use crate::aside::{in_parts, set_aside};
use crate::django;
use crate::ids::{GroupName, SessionId};
use crate::node::Node;
use crate::notifier::Courier;
use crate::protocol::{AnswerText, DjangoEvent};
use crate::registry::{AnswerGrew, AnswerStarted, Deliver, Fanout, FillGap, GroupStates, RegistryHandle};
use crate::store::{Heard, StoreResult, Stores, Told};

/// Gaps that may wait; a group has at most a few at a time, and an answer one.
const MAILBOX: usize = 16_384;
/// Groups that are looked at in one round trip.
const BATCH: usize = 100;
/// How soon the logs are looked at again when that failed.
const RETRY: std::time::Duration = std::time::Duration::from_millis(500);

/// Begins to listen to the other nodes and to Django, and to supply Django's worker if there is one.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Listen {
    /// Whom to tell.
    pub node: Arc<Node>,
    /// The worker's channel and what it is told of.
    pub worker: Option<(String, Vec<DjangoEvent>)>,
    /// Carries out what Django is told.
    pub courier: Courier,
}

/// The actor.
pub struct Ear {
    gaps: Arc<GapFiller>,
    _exit: ExitGuard,
}

impl Ear {
    /// An ear that reads from `stores` what the registry has missed. It hears nothing before [`Listen`].
    pub fn new(stores: Stores, registry: RegistryHandle, exit: ExitGuard) -> Self {
        Self { gaps: Arc::new(GapFiller::new(stores, registry)), _exit: exit }
    }
}

impl Actor for Ear {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<FillGap> for Ear {
    type Result = ();

    fn handle(&mut self, FillGap { group, gap }: FillGap, ctx: &mut Context<Self>) {
        let gaps = self.gaps.clone();
        ctx.spawn(async move { gaps.fill(group, gap).await }.into_actor(self));
    }
}

impl Handler<Listen> for Ear {
    type Result = ();

    fn handle(&mut self, Listen { node, worker, courier }: Listen, ctx: &mut Context<Self>) {
        ctx.spawn(courier.run(node.layer.clone()).into_actor(self));
        if let Some((channel, kinds)) = worker {
            let node = node.clone();
            ctx.spawn(async move { django::supply(&node, &channel, &kinds).await }.into_actor(self));
        }
        let hearing = node.clone();
        ctx.spawn(async move { django::listen(&hearing).await }.into_actor(self));
        let orders = Arc::new(OrderDesk::new(node.clone()));
        let desk = orders.clone();
        ctx.spawn(async move { desk.run().await }.into_actor(self));
        let listening = async move {
            loop {
                for heard in node.stores.feed.hear().await {
                    pass_on(&node, &orders, heard).await;
                }
            }
        };
        ctx.spawn(listening.into_actor(self));
    }
}

/// Everything that was heard, in its order.
async fn pass_on(node: &Arc<Node>, orders: &Arc<OrderDesk>, heard: Heard) {
    let tails = &node.delivery.tails;
    match heard {
        Heard::Logged { group, epoch, event } => {
            tails.grew(&group);
            _ = node.registry.deliver(Deliver { group, epoch, event }).await;
        }
        Heard::LoggedHere { group, epoch, seq } => {
            tails.grew(&group);
            _ = node.registry.logged_here(group, epoch, seq).await;
        }
        Heard::Resumed => {
            tails.missed();
            orders.look_soon();
            node.roster.answers_may_have_begun();
            look_again(node.clone());
        }
        Heard::Ordered(order) => orders.heard(order).await,
        Heard::Told(told) => match told {
            Told::Frame { group, frame, except } => _ = node.registry.fan_out(Fanout { group, frame, except }).await,
            Told::Started { group, answer, message, start } => {
                _ = node.registry.answer_started(AnswerStarted { group, answer, message, start }).await;
            }
            Told::Grew { group, answer, offset, text } => {
                let of = AnswerText::of(&answer);
                _ = node.registry.answer_grew(AnswerGrew { group, of, offset, text }).await;
            }
            Told::Thought { group, answer, offset, text } => {
                let of = AnswerText::reasoning(&answer);
                _ = node.registry.answer_grew(AnswerGrew { group, of, offset, text }).await;
            }
            Told::Attended { group, attendance } => _ = node.registry.attended(vec![(group, attendance)]).await,
            // A node of the version before told it: there it is not kept, and carried out when it is heard or never.
            told => orders.told(told),
        },
    }
}

/// After something may have been missed: sessions of this node may have lost rights by what was shown at another one.
async fn look_at_rights(node: &Node) -> StoreResult<()> {
    let look = async |part: &[(SessionId, Vec<GroupName>)]| {
        for (session, _) in part {
            let sockets = node.roster.sockets(session);
            let Some(socket) = sockets.iter().find(|socket| socket.access.rights().is_some()) else { continue };
            let record = node.stores.sessions.load(session).await?;
            leave_lost(node, session, socket.access.user(), &record).await?;
        }
        Ok(())
    };
    let sessions = node.roster.memberships();
    in_parts(&sessions, 1, look, |(session, _), error| set_aside("session", session, error)).await
}

/// After something may have been missed: looks at every log and answer of this node's groups.
fn look_again(node: Arc<Node>) {
    actix::spawn(async move {
        while let Err(error) = resync(&node.stores, &node.registry, &node.roster.groups()).await {
            log::debug!(error:%; "the logs were not looked at again");
            tokio::time::sleep(RETRY).await;
        }
        while let Err(error) = look_at_rights(&node).await {
            log::debug!(error:%; "the rights were not looked at again");
            tokio::time::sleep(RETRY).await;
        }
    });
}

/// Tells the registry where the logs of `groups` stand, and which answers are being written there. The logs' lives are
/// renewed, and missing ones made.
///
/// # Errors
/// The store is away: some of them may have been looked at.
pub async fn resync(stores: &Stores, registry: &RegistryHandle, groups: &[GroupName]) -> StoreResult<()> {
    let look = async |batch: &[GroupName]| {
        let GroupStates { logs, answers, attended } = GroupStates::read(stores, batch).await?;
        _ = registry.resynced(logs, answers).await;
        _ = registry.attended(attended).await;
        Ok(())
    };
    in_parts(groups, BATCH, look, |group, error| set_aside("group", group, error)).await
}
