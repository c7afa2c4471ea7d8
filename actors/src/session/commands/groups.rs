//! `group.join`, `group.leave`, `group.members` and `group.typing`.

use super::Work;
use crate::actor::Unanswered;
use crate::admission::Spending;
use crate::cluster::{CarriedOut, confirmed, leave_lost, whereabouts};
use crate::ids::GroupName;
use crate::protocol::{CloseCode, ErrorCode, Event, JoinGroup, Member, Refusal};
use crate::registry::{Enter, Fanout, GroupStates, Joining};
use crate::session::Effect;
use crate::socket::{Promise, Reply};
use crate::store::{Concerned, Told};

/// Members that one `group.members` reply lists; `total` counts them all.
const MAX_LISTED: usize = 1_000;
/// So many members begun are one read, of the group's whole number.
const MEMBERS_PER_READ: usize = 100;

/// What a join needs to know.
struct Prepared {
    states: GroupStates,
    /// The session is in the group already.
    is_member: bool,
}

impl Work {
    pub(super) async fn join(&self, join: JoinGroup, reply: Reply) -> Effect {
        let JoinGroup { group, since, epoch } = join;
        let Prepared { states, is_member } = match self.prepare_join(&group).await {
            Ok(prepared) => prepared,
            Err(refusal) => {
                reply.refuse(&refusal);
                return Effect::None;
            }
        };
        if !is_member {
            // Before it is acknowledged: the session may have sockets at other nodes.
            let (session, user) = (self.session.clone(), self.socket.access.user().clone());
            let told = Told::Entered { group: group.clone(), session, user };
            if let Err(error) = self.node.stores.orders.give(&told, Concerned::Nobody).await {
                reply.refuse(&self.store_failed("tell", &error));
                return Effect::None;
            }
        }
        // From here on a replay may be owed that nobody else knows of.
        let promise = Promise::new(self.socket.handle.clone(), CloseCode::Internal);
        let joining = Joining { reply, socket: self.socket.handle.clone(), resume: since.zip(epoch) };
        let enter = Enter {
            session: self.session.clone(),
            user: self.socket.access.user().clone(),
            groups: states.logs,
            answers: states.answers,
            announce: true,
            elsewhere: false,
            joining: Some(joining),
        };
        match self.node.registry.enter(enter).await {
            Ok(replay) => {
                promise.kept();
                if !is_member {
                    self.leave_what_was_lost_meanwhile().await;
                }
                replay.map_or(Effect::None, Effect::Replay)
            }
            Err(Unanswered) => Effect::None,
        }
    }

    async fn prepare_join(&self, group: &GroupName) -> Result<Prepared, Refusal> {
        self.spend(Spending::Joins, 1).await?;
        let roster = &self.node.roster;
        let is_member = roster.is_member(&self.session, group);
        if !is_member {
            self.check_rights(group).await?;
            let max = self.node.options.max_groups;
            // The home group is no choice of the client's and does not count.
            if roster.groups_of(&self.session).len() > max {
                let message = format!("a session may be in {max} groups; leave one first");
                return Err(Refusal::new(ErrorCode::NotAllowed, message));
            }
        }
        let stores = &self.node.stores;
        let looked = self.node.registry.look_at(stores, std::slice::from_ref(group)).await;
        let states = looked.map_err(|error| self.store_failed("open", &error))?;
        if !is_member {
            let added = stores.sessions.add_group(&self.session, group).await;
            added.map_err(|error| self.store_failed("add_group", &error))?;
        }
        Ok(Prepared { states, is_member })
    }

    /// Whether the session may join a group: by the newest that any of its sockets has shown, wherever that is.
    async fn check_rights(&self, group: &GroupName) -> Result<(), Refusal> {
        let Some(shown) = self.socket.access.rights() else {
            let open = self.socket.access.may_join(group);
            return if open {
                Ok(())
            } else {
                Err(Refusal::new(ErrorCode::NotAllowed, "this group is not open to you"))
            };
        };
        let record = self.node.stores.sessions.load(&self.session).await;
        let record = record.map_err(|error| self.store_failed("load", &error))?;
        // None are known where the store came back empty a moment ago.
        let rights = record.rights.as_ref().unwrap_or(&shown.rights);
        if rights.allow(group, &self.session) {
            return Ok(());
        }
        let message = match rights.match_unmeant(group) {
            true => "a pattern such as * opens no home group of another session: the token must name it, as chat_…",
            false => "this group is not open to you",
        };
        Err(Refusal::new(ErrorCode::NotAllowed, message))
    }

    /// Rights may have been taken away, here or at another node, between the look at them and the entry.
    async fn leave_what_was_lost_meanwhile(&self) {
        if self.socket.access.rights().is_none() {
            return;
        }
        let left = match self.node.stores.sessions.load(&self.session).await {
            Ok(record) => leave_lost(&self.node, &self.session, self.socket.access.user(), &record).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = left {
            // The next connect or refresh asks again.
            log::debug!(session:% = self.session, error:%; "rights were not looked at after a join");
        }
    }

    pub(super) async fn leave(&self, group: GroupName, reply: Reply) {
        match self.try_leave(group).await {
            Ok(outcome) => reply.done(!outcome.pending.is_empty()),
            Err(refusal) => reply.refuse(&refusal),
        }
    }

    async fn try_leave(&self, group: GroupName) -> Result<CarriedOut, Refusal> {
        if group == self.session.home() {
            return Err(Refusal::new(ErrorCode::NotAllowed, "a session cannot leave its home group"));
        }
        let group = self.member_of(Some(group))?;
        // It costs what a join does, but nobody is kept where they do not want to be.
        _ = self.spend(Spending::Joins, 1).await;
        let removed = self.node.stores.sessions.remove_group(&self.session, &group).await;
        removed.map_err(|error| self.store_failed("remove_group", &error))?;
        let (session, user) = (self.session.clone(), self.socket.access.user().clone());
        let told = Told::Left { group: group.clone(), session: session.clone(), user: user.clone() };
        let given = self.node.stores.orders.give(&told, Concerned::With(&session)).await;
        let given = given.map_err(|error| self.store_failed("tell", &error))?;
        self.node.registry.leave(session, user, group).await.map_err(|Unanswered| Refusal::internal())?;
        Ok(confirmed(&self.node, &given, u64::MAX).await)
    }

    pub(super) async fn members(&self, group: GroupName, reply: Reply) {
        match self.try_members(group).await {
            Ok((group, members, total)) => {
                let frame = Event::Members { id: reply.id(), group: &group, members, total }.encode();
                reply.send(frame);
            }
            Err(refusal) => reply.refuse(&refusal),
        }
    }

    async fn try_members(&self, group: GroupName) -> Result<(GroupName, Vec<Member>, usize), Refusal> {
        let group = self.member_of(Some(group))?;
        self.spend(Spending::Reads, 1).await?;
        let counts = whereabouts::headcounts(&self.node, std::slice::from_ref(&group)).await;
        let counts = counts.map_err(|error| self.store_failed("members", &error))?;
        let hundreds = counts.first().map_or(0, |count| count.members.div_ceil(MEMBERS_PER_READ) as u64);
        self.spend(Spending::Reads, hundreds.saturating_sub(1)).await?;
        let read = whereabouts::members(&self.node, &group, MAX_LISTED).await;
        let (views, total) = read.map_err(|error| self.store_failed("members", &error))?;
        Ok((group, views.into_iter().map(|view| view.member).collect(), total))
    }

    pub(super) async fn typing(&self, group: Option<GroupName>, reply: Reply, may_type: bool) {
        match self.member_of(group) {
            Ok(group) => {
                if may_type {
                    let frame = Event::Typing { group: &group, user: self.socket.access.user() }.encode();
                    let fanout = Fanout { group, frame, except: Some(self.session.clone()) };
                    _ = self.node.fan_out(fanout).await;
                }
                reply.ack();
            }
            Err(refusal) => reply.refuse(&refusal),
        }
    }
}
