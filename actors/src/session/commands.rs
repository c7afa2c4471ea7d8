//! Carrying out commands: each is one future that answers its reply exactly once.

use std::sync::Arc;

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Effect, Promise, Reply};
use crate::answers::{Ask, Cancel, Slot};
use crate::ids::{AnswerId, GroupName, MessageId, SessionId};
use crate::limiter::{Admit, Permit, Refund};
use crate::messages::*;
use crate::protocol::{
    CloseCode, CommandBody, ErrorCode, Event, JoinGroup, Logged, Message, Refusal, Role, SendMessage, timestamp,
};
use crate::registry::GroupRegistry;
use crate::services::{PATIENCE, Services};
use crate::store::{Append, Appended, Once, PageSize, StoreError, StoredEvent};

/// Members that one `group.members` reply lists; `total` counts them all.
const MAX_LISTED: usize = 1_000;
/// What a `history` reply holds at most, in bytes of events.
const HISTORY_BYTES: usize = 256 * 1024;
/// How a log is searched for the message of an `answer.retry`.
const SEARCH: PageSize = PageSize { events: 200, bytes: 4 * 1024 * 1024 };

/// One command's surroundings.
pub(super) struct Work {
    pub(super) services: Arc<Services>,
    pub(super) session: SessionId,
    pub(super) socket: Attached,
    /// Held while a message of this session is admitted and logged: a repetition over another socket must find what
    /// the first one did, not a limit that the first one has used up meanwhile.
    pub(super) sending: Arc<Mutex<()>>,
}

impl Work {
    /// Does it.
    pub(super) async fn carry_out(self, command: CommandBody, reply: Reply, may_type: bool) -> Effect {
        self.services.metrics.commands.with_label_values(&[command.name()]).inc();
        match command {
            CommandBody::Send(message) => self.send(message, reply).await,
            CommandBody::CancelAnswer(answer) => self.cancel(answer, reply).await,
            CommandBody::RetryAnswer(message) => self.retry(message, reply).await,
            CommandBody::RefreshToken(token) => return self.refresh(&token, reply).await,
            CommandBody::Join(join) => return self.join(join, reply).await,
            CommandBody::Leave(group) => self.leave(group, reply).await,
            CommandBody::Members(group) => self.members(&group, reply),
            CommandBody::Typing(group) => self.typing(group, reply, may_type).await,
            CommandBody::History { group, before, limit } => self.history(group, before, limit, reply).await,
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
        if self.services.roster.is_member(&self.session, &group) {
            Ok(group)
        } else {
            Err(Refusal::new(ErrorCode::NotMember, "this session is not in that group; join it first"))
        }
    }

    fn store_failed(&self, call: &str, error: &StoreError) -> Refusal {
        log::debug!("store call failed call={call} error={error}");
        self.services.metrics.store_failed(call);
        Refusal::store_unavailable()
    }

    async fn send(&self, message: SendMessage, reply: Reply) {
        match self.try_send(message, &reply).await {
            Ok(sent) => {
                reply.logged(sent.seq, sent.message.as_ref());
                match sent.deliver {
                    Some(deliver) => self.tell(deliver).await,
                    // The first try may have been logged without anybody here learning of it.
                    None => self.tell(Reached { group: sent.group, seq: sent.seq }).await,
                }
                if let Some(ask) = sent.ask {
                    self.ask(ask).await;
                }
            }
            Err(refusal) => reply.refuse(&refusal),
        }
    }

    async fn try_send(&self, message: SendMessage, reply: &Reply) -> Result<Sent, Refusal> {
        let asked_at = Instant::now();
        let SendMessage { text, group, assistant, metadata } = message;
        let group = self.member_of(group)?;
        let Some(id) = reply.id() else { return Err(Refusal::internal()) };
        let once = Once {
            scope: format!("session:{}", self.session),
            id: id.as_str().to_owned(),
            fingerprint: fingerprint(&group, &text, assistant, metadata.as_ref()),
        };
        let _alone = self.sending.lock().await;
        // A repetition is acknowledged even where a new message would be refused.
        let admitted = match self.admit(&text, assistant).await {
            Ok(admitted) => admitted,
            Err(refusal) => {
                return match self.services.stores.logs.recall(&once).await {
                    Ok(Some(Appended::Again { seq, message, .. })) => {
                        Ok(Sent { group, seq, message, deliver: None, ask: None })
                    }
                    Ok(Some(Appended::Conflict)) => Err(reused_id()),
                    _ => Err(refusal),
                };
            }
        };
        let message = Message {
            id: MessageId::random(&group),
            role: Role::User,
            author: self.socket.access.user().to_string(),
            text: text.clone(),
            created_at: timestamp(),
            metadata,
        };
        let id = message.id.clone();
        let body = Logged::Message { group: group.clone(), message }.encode();
        let append =
            Append { group: group.clone(), body: body.clone(), message: Some(id.clone()), once: Some(once.clone()) };
        let (seq, message, deliver, answered) = match self.services.stores.logs.append(append).await {
            Ok(Appended::New { epoch, seq }) => {
                self.services.metrics.logged.inc();
                let deliver = Deliver { group: group.clone(), epoch, event: StoredEvent { seq, body } };
                (seq, Some(id), Some(deliver), false)
            }
            Ok(Appended::Again { seq, message, answered }) => (seq, message, None, answered),
            Ok(Appended::Conflict) => {
                self.refund(admitted.permit).await;
                return Err(reused_id());
            }
            Err(error) => {
                self.refund(admitted.permit).await;
                return Err(self.store_failed("append", &error));
            }
        };
        let ask = match (admitted.slot, &message) {
            (slot @ Some(_), Some(message)) if !answered => Some(Ask {
                user: self.socket.access.user().clone(),
                group: group.clone(),
                message: message.clone(),
                seq,
                question: text,
                once: Some(once),
                past_cache: false,
                permit: admitted.permit.clone(),
                slot,
                asked_at,
            }),
            _ => None,
        };
        // What is still to be answered is settled at the answer's end.
        if deliver.is_none() && ask.is_none() {
            self.refund(admitted.permit).await;
        }
        Ok(Sent { group, seq, message, deliver, ask })
    }

    /// What the message may cost: a slot for its answer, and the rate limits.
    async fn admit(&self, text: &str, assistant: bool) -> Result<Admitted, Refusal> {
        let slot = match assistant {
            true => Some(self.services.slots.take(&self.session).ok_or_else(|| {
                Refusal::new(
                    ErrorCode::Busy,
                    "this session has as many answers under way as it may; wait for one to end",
                )
            })?),
            false => None,
        };
        let admit = Admit {
            user: self.socket.access.user().clone(),
            address: self.socket.address,
            question: assistant.then(|| text.to_owned()),
        };
        let permit = match self.services.limiter.send(admit).timeout(PATIENCE).await {
            Ok(verdict) => verdict?,
            Err(error) => {
                log::error!("limiter did not answer error={error}");
                return Err(Refusal::internal());
            }
        };
        Ok(Admitted { permit, slot })
    }

    async fn refund(&self, permit: Permit) {
        _ = self.services.limiter.send(Refund(permit)).timeout(PATIENCE).await;
    }

    async fn tell<M>(&self, message: M)
    where
        M: actix::Message<Result = ()> + Send + 'static,
        GroupRegistry: actix::Handler<M>,
    {
        if let Err(error) = self.services.registry.send(message).timeout(PATIENCE).await {
            // The next event of the group shows the gap.
            log::error!("registry did not take an event error={error}");
        }
    }

    async fn ask(&self, ask: Ask) {
        if let Err(error) = self.services.answers.send(ask).timeout(PATIENCE).await {
            log::error!("question not taken session={} error={error}", self.session);
        }
    }

    async fn cancel(&self, answer: AnswerId, reply: Reply) {
        let cancel = Cancel { answer, by: self.session.clone() };
        match self.services.answers.send(cancel).timeout(PATIENCE).await {
            Ok(true) => reply.ack(),
            Ok(false) => reply.refuse(&Refusal::new(ErrorCode::NotFound, "no such answer is under way in your groups")),
            Err(_) => reply.refuse(&Refusal::internal()),
        }
    }

    async fn retry(&self, message: MessageId, reply: Reply) {
        match self.try_retry(message).await {
            Ok(ask) => {
                reply.ack();
                self.ask(ask).await;
            }
            Err(refusal) => reply.refuse(&refusal),
        }
    }

    async fn try_retry(&self, message: MessageId) -> Result<Ask, Refusal> {
        let asked_at = Instant::now();
        for group in self.services.roster.groups_of(&self.session) {
            if !message.may_belong_to(&group) {
                continue;
            }
            if let Some((seq, question)) = self.find(&group, &message).await? {
                let admitted = self.admit(&question, true).await?;
                return Ok(Ask {
                    user: self.socket.access.user().clone(),
                    group,
                    message,
                    seq,
                    question,
                    once: None,
                    past_cache: true,
                    permit: admitted.permit,
                    slot: admitted.slot,
                    asked_at,
                });
            }
        }
        Err(Refusal::new(ErrorCode::NotFound, "no such message in your groups"))
    }

    /// Looks for a message in a group's log, newest first.
    async fn find(&self, group: &GroupName, wanted: &MessageId) -> Result<Option<(u64, String)>, Refusal> {
        let mut before = None;
        loop {
            let page = self.services.stores.logs.read_before(group, before, SEARCH).await;
            let page = page.map_err(|error| self.store_failed("read", &error))?;
            for event in page.events.iter().rev().filter(|event| event.body.contains(wanted.as_str())) {
                if let Ok(Logged::Message { message, .. }) = serde_json::from_str::<Logged>(&event.body)
                    && message.id == *wanted
                {
                    return Ok(Some((event.seq, message.text)));
                }
            }
            match page.events.first() {
                Some(first) if page.more => before = Some(first.seq),
                _ => return Ok(None),
            }
        }
    }

    async fn refresh(&self, token: &str, reply: Reply) -> Effect {
        match self.socket.access.refresh(token).await {
            Ok(access) => {
                let (session, socket) = (self.session.clone(), self.socket.handle.id());
                let refreshed = Refreshed { session, socket, access: access.clone() };
                if let Err(error) = self.services.registry.send(refreshed).timeout(PATIENCE).await {
                    log::error!("registry did not take new rights error={error}");
                }
                reply.ack();
                Effect::Rights(access)
            }
            Err(refusal) => {
                reply.refuse(&refusal);
                Effect::None
            }
        }
    }

    async fn join(&self, join: JoinGroup, reply: Reply) -> Effect {
        let JoinGroup { group, since, epoch } = join;
        let state = match self.prepare_join(&group).await {
            Ok(state) => state,
            Err(refusal) => {
                reply.refuse(&refusal);
                return Effect::None;
            }
        };
        // From here on a replay may be owed that nobody else knows of.
        let promise = Promise::new(self.socket.handle.clone(), CloseCode::Internal);
        let joining = Joining { reply, socket: self.socket.handle.clone(), resume: since.zip(epoch) };
        let enter = Enter {
            session: self.session.clone(),
            user: self.socket.access.user().clone(),
            groups: vec![(group, state)],
            announce: true,
            joining: Some(joining),
        };
        match self.services.registry.send(enter).timeout(PATIENCE).await {
            Ok(replay) => {
                promise.kept();
                replay.map_or(Effect::None, Effect::Replay)
            }
            Err(error) => {
                log::error!("registry did not take a join error={error}");
                Effect::None
            }
        }
    }

    async fn prepare_join(&self, group: &GroupName) -> Result<crate::store::LogState, Refusal> {
        let roster = &self.services.roster;
        let is_member = roster.is_member(&self.session, group);
        if !is_member {
            if !self.socket.access.may_join(group) {
                return Err(Refusal::new(ErrorCode::NotAllowed, "this group is not open to you"));
            }
            let max = self.services.options.max_groups;
            // The home group is no choice of the client's and does not count.
            if roster.groups_of(&self.session).len() > max {
                let message = format!("a session may be in {max} groups; leave one first");
                return Err(Refusal::new(ErrorCode::NotAllowed, message));
            }
        }
        _ = self.services.registry.send(Prepare(vec![group.clone()])).timeout(PATIENCE).await;
        let stores = &self.services.stores;
        let opened = stores.logs.open(std::slice::from_ref(group)).await;
        let states = opened.map_err(|error| self.store_failed("open", &error))?;
        if !is_member {
            let added = stores.sessions.add_group(&self.session, group).await;
            added.map_err(|error| self.store_failed("add_group", &error))?;
        }
        states.into_iter().next().ok_or_else(Refusal::internal)
    }

    async fn leave(&self, group: GroupName, reply: Reply) {
        match self.try_leave(group).await {
            Ok(()) => reply.ack(),
            Err(refusal) => reply.refuse(&refusal),
        }
    }

    async fn try_leave(&self, group: GroupName) -> Result<(), Refusal> {
        if group == self.session.home() {
            return Err(Refusal::new(ErrorCode::NotAllowed, "a session cannot leave its home group"));
        }
        let group = self.member_of(Some(group))?;
        let removed = self.services.stores.sessions.remove_group(&self.session, &group).await;
        removed.map_err(|error| self.store_failed("remove_group", &error))?;
        let leave = Leave { session: self.session.clone(), group };
        self.services.registry.send(leave).timeout(PATIENCE).await.map_err(|_| Refusal::internal())
    }

    fn members(&self, group: &GroupName, reply: Reply) {
        match self.member_of(Some(group.clone())) {
            Ok(group) => {
                let (views, total) = self.services.roster.members(&group, MAX_LISTED);
                let members = views.into_iter().map(|view| view.member).collect();
                let frame = Event::Members { id: reply.id(), group: &group, members, total }.encode();
                reply.send(frame);
            }
            Err(refusal) => reply.refuse(&refusal),
        }
    }

    async fn typing(&self, group: Option<GroupName>, reply: Reply, may_type: bool) {
        match self.member_of(group) {
            Ok(group) => {
                if may_type {
                    let frame = Event::Typing { group: &group, user: self.socket.access.user() }.encode();
                    let fanout = Fanout { group, frame, except: Some(self.session.clone()) };
                    _ = self.services.registry.send(fanout).timeout(PATIENCE).await;
                }
                reply.ack();
            }
            Err(refusal) => reply.refuse(&refusal),
        }
    }

    async fn history(&self, group: Option<GroupName>, before: Option<u64>, limit: usize, reply: Reply) {
        let group = match self.member_of(group) {
            Ok(group) => group,
            Err(refusal) => return reply.refuse(&refusal),
        };
        let size = PageSize { events: limit, bytes: HISTORY_BYTES };
        match self.services.stores.logs.read_before(&group, before, size).await {
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

struct Admitted {
    permit: Permit,
    slot: Option<Slot>,
}

struct Sent {
    group: GroupName,
    seq: u64,
    message: Option<MessageId>,
    deliver: Option<Deliver>,
    ask: Option<Ask>,
}

fn reused_id() -> Refusal {
    Refusal::new(ErrorCode::BadRequest, "this id was used for another message; choose a new one")
}

/// What makes two messages with one id the same.
fn fingerprint(
    group: &GroupName,
    text: &str,
    assistant: bool,
    metadata: Option<&serde_json::Map<String, serde_json::Value>>,
) -> String {
    let mut digest = Sha256::new();
    digest.update(group.as_str());
    digest.update([0, u8::from(assistant)]);
    digest.update((text.len() as u64).to_be_bytes());
    digest.update(text);
    // serde_json's maps are sorted by key, so equal metadata have equal texts.
    digest.update(metadata.map(|map| serde_json::Value::Object(map.clone()).to_string()).unwrap_or_default());
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_every_field_apart_and_not_the_order_of_metadata() {
        let group = GroupName::parse("g").expect("legal");
        let map = |json: &str| serde_json::from_str(json).expect("object");
        let base = fingerprint(&group, "t", true, None);
        assert_ne!(base, fingerprint(&group, "u", true, None));
        assert_ne!(base, fingerprint(&group, "t", false, None));
        assert_ne!(base, fingerprint(&GroupName::parse("h").expect("legal"), "t", true, None));
        let one = map(r#"{"a":1,"b":2}"#);
        assert_ne!(base, fingerprint(&group, "t", true, Some(&one)));
        assert_eq!(
            fingerprint(&group, "t", true, Some(&one)),
            fingerprint(&group, "t", true, Some(&map(r#"{"b":2,"a":1}"#)))
        );
    }
}
