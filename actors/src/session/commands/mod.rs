//! Carrying out commands: each is one future that answers its reply exactly once.

mod answers;
mod groups;
mod remarks;
mod send;

use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::sync::Mutex;

use super::{Effect, Reply};
use crate::admission::{Spend, Spending, Subject};
use crate::cluster::hold_to;
use crate::ids::{GroupName, SessionId};
use crate::node::Node;
use crate::protocol::{CommandBody, ErrorCode, Event, Protocol, Refusal};
use crate::say::Speaker;
use crate::socket::Attached;
use crate::store::{PageSize, StoreError};

/// What a `history` reply holds at most, in bytes of events.
const HISTORY_BYTES: usize = 256 * 1024;

/// One command's surroundings.
pub(super) struct Work {
    pub(super) node: Arc<Node>,
    pub(super) session: SessionId,
    pub(super) socket: Attached,
    /// Held while a message of this session is admitted and logged: a repetition over another socket must find what
    /// the first one did, not a limit that the first one has used up meanwhile.
    pub(super) sending: Arc<Mutex<()>>,
}

impl Work {
    /// Does it.
    pub(super) async fn carry_out(self, command: CommandBody, reply: Reply, may_type: bool) -> Effect {
        self.node.metrics.commands.with_label_values(&[command.name()]).inc();
        match command {
            CommandBody::Send(message) => self.send(message, reply).await,
            CommandBody::CancelAnswer(answer) => self.cancel(answer, reply).await,
            CommandBody::RetryAnswer(message) => Box::pin(self.retry(message, reply)).await,
            CommandBody::RefreshToken(token) => return Box::pin(self.refresh(&token, reply)).await,
            CommandBody::Join(join) => return Box::pin(self.join(join, reply)).await,
            CommandBody::Leave(group) => self.leave(group, reply).await,
            CommandBody::Members(group) => self.members(group, reply).await,
            CommandBody::Typing(group) => self.typing(group, reply, may_type).await,
            CommandBody::History { group, before, limit } => self.history(group, before, limit, reply).await,
            CommandBody::Feedback(given) => Box::pin(self.feedback(given, reply)).await,
            CommandBody::AskPerson(ask) => Box::pin(self.ask_person(ask, reply)).await,
            CommandBody::Ping => {
                let pong = Event::Pong { id: reply.id() }.encode();
                reply.send(pong);
            }
        }
        Effect::None
    }

    /// The group a command speaks of, if the session is in it.
    fn member_of(&self, group: Option<GroupName>) -> Result<GroupName, Refusal> {
        let group = group.unwrap_or_else(|| self.session.home());
        if self.node.roster.is_member(&self.session, &group) {
            Ok(group)
        } else {
            Err(Refusal::new(ErrorCode::NotMember, "this session is not in that group; join it first"))
        }
    }

    fn store_failed(&self, call: &str, error: &StoreError) -> Refusal {
        log::debug!(call, error:%; "a call to the store failed");
        self.node.metrics.store_failed(call);
        Refusal::store_unavailable()
    }

    /// Who speaks in this session over this socket.
    fn speaker(&self) -> Speaker {
        let access = &self.socket.access;
        Speaker::Session {
            session: self.session.clone(),
            user: access.user().clone(),
            is_guest: access.is_guest(),
            address: self.socket.address,
            context: access.context().map(str::to_owned),
            protocol: Protocol::Sophie,
        }
    }

    /// Takes what a command costs that is no message.
    async fn spend(&self, on: Spending, units: u64) -> Result<(), Refusal> {
        let spend = Spend { whose: Subject::User(self.socket.access.user().clone()), on, units };
        Ok(self.node.limiter.spend(spend).await?)
    }

    async fn refresh(&self, token: &str, reply: Reply) -> Effect {
        // The application may have to be asked.
        if let Err(refusal) = self.spend(Spending::Joins, 1).await {
            reply.refuse(&refusal);
            return Effect::None;
        }
        match self.socket.access.refresh(token).await {
            Ok(access) => {
                if let Some(shown) = access.rights() {
                    // Before the reply: once it is there, what was lost is left.
                    let held = hold_to(&self.node, &self.session, access.user(), shown).await;
                    if let Err(error) = held {
                        reply.refuse(&self.store_failed("grant", &error));
                        return Effect::None;
                    }
                }
                let (session, socket) = (self.session.clone(), self.socket.handle.id());
                _ = self.node.registry.refreshed(session, socket, access.clone()).await;
                reply.ack();
                Effect::Rights(access)
            }
            Err(refusal) => {
                reply.refuse(&refusal);
                Effect::None
            }
        }
    }

    async fn history(&self, group: Option<GroupName>, before: Option<u64>, limit: usize, reply: Reply) {
        let group = match self.member_of(group) {
            Ok(group) => group,
            Err(refusal) => return reply.refuse(&refusal),
        };
        if let Err(refusal) = self.spend(Spending::Reads, 1).await {
            return reply.refuse(&refusal);
        }
        let size = PageSize { events: limit, bytes: HISTORY_BYTES };
        match self.node.stores.logs.read_before(&group, before, size).await {
            Ok(page) => {
                let frames = page.events.iter().map(|event| RawValue::from_string(event.frame().to_string()));
                let events = frames.filter_map(Result::ok).collect();
                let frame = Event::History { id: reply.id(), group: &group, events, more: page.more }.encode();
                reply.send(frame);
            }
            Err(error) => reply.refuse(&self.store_failed("read", &error)),
        }
    }
}
