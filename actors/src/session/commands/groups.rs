//! `group.join`, `group.leave`, `group.members` and `group.typing`.

use super::Work;
use crate::ids::GroupName;
use crate::messages::*;
use crate::protocol::{CloseCode, ErrorCode, Event, JoinGroup, Refusal};
use crate::services::PATIENCE;
use crate::session::{Effect, Promise, Reply};
use crate::store::LogState;

/// Members that one `group.members` reply lists; `total` counts them all.
const MAX_LISTED: usize = 1_000;

impl Work {
    pub(super) async fn join(&self, join: JoinGroup, reply: Reply) -> Effect {
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

    async fn prepare_join(&self, group: &GroupName) -> Result<LogState, Refusal> {
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

    pub(super) async fn leave(&self, group: GroupName, reply: Reply) {
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

    pub(super) fn members(&self, group: &GroupName, reply: Reply) {
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

    pub(super) async fn typing(&self, group: Option<GroupName>, reply: Reply, may_type: bool) {
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
}
