//! The sessions' supervision, and their sockets' coming and going.

use actix::prelude::*;
use tokio::time::Instant;

use super::messages::*;
use super::{GroupRegistry, MAX_RESTARTS, WINDOW};
use crate::actor::Exit;
use crate::ids::{GroupName, SessionId};
use crate::protocol::{Close, CloseCode};
use crate::socket::{Attached, SessionHandle};

pub(super) struct Running {
    pub(super) actor: SessionHandle,
    pub(super) life: u64,
    thread: ArbiterHandle,
}

impl GroupRegistry {
    fn start_session(
        &mut self,
        session: &SessionId,
        sockets: Vec<Attached>,
        groups: Option<Vec<GroupName>>,
        thread: ArbiterHandle,
    ) -> Option<SessionHandle> {
        let factory = self.factory.as_ref()?;
        self.lives += 1;
        let life = self.lives;
        let actor = factory(Seed { session: session.clone(), life, sockets, groups, thread: thread.clone() });
        self.sessions.insert(session.clone(), Running { actor: actor.clone(), life, thread });
        Some(actor)
    }

    fn forget_session(&mut self, session: &SessionId, close: Option<CloseCode>) {
        let (sockets, groups) = self.roster.remove(session);
        if let Some(code) = close {
            sockets.iter().for_each(|socket| socket.handle.close(code));
        }
        groups.iter().for_each(|group| self.settle(group));
    }
}

impl Handler<Install> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Install(factory): Install, _: &mut Context<Self>) {
        self.factory = Some(factory);
    }
}

impl Handler<Open> for GroupRegistry {
    type Result = Result<SessionHandle, Close>;

    fn handle(&mut self, Open { session, thread }: Open, _: &mut Context<Self>) -> Self::Result {
        if self.draining.is_some() {
            return Err(CloseCode::Draining.into());
        }
        if !self.restarts.allow(&session, Instant::now()) {
            return Err(CloseCode::KeptFailing.into());
        }
        match self.sessions.get(&session) {
            // One that has just ended is not replaced here: how it ended is on its way, and decides what happens to
            // its sockets. Who asked finds it gone and asks again, behind that news.
            Some(running) => Ok(running.actor.clone()),
            None => self.start_session(&session, Vec::new(), None, thread).ok_or(CloseCode::Overloaded.into()),
        }
    }
}

impl Handler<Detach> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Detach { session, socket }: Detach, _: &mut Context<Self>) {
        self.roster.detach(&session, socket);
    }
}

impl Handler<Refreshed> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Refreshed { session, socket, access }: Refreshed, _: &mut Context<Self>) {
        self.roster.refresh(&session, socket, access);
    }
}

impl Handler<SessionEnded> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, ended: SessionEnded, _: &mut Context<Self>) {
        let SessionEnded { session, life, exit } = ended;
        if self.sessions.get(&session).is_none_or(|running| running.life != life) {
            return;
        }
        let Some(Running { thread, .. }) = self.sessions.remove(&session) else { return };
        if exit == Exit::Stopped {
            self.forget_session(&session, None);
        } else if self.restarts.failed(&session, Instant::now()) {
            log::error!(event = "session_failed", session:%; "a session failed, it is started again");
            self.metrics.session_restarts.inc();
            let groups = self.roster.groups_of(&session);
            let seed = groups.contains(&session.home()).then_some(groups);
            self.start_session(&session, self.roster.sockets(&session), seed, thread);
        } else {
            log::error!(
                event = "session_ended", session:%, restarts = MAX_RESTARTS, within_seconds = WINDOW.as_secs();
                "a session kept failing, it is ended"
            );
            self.forget_session(&session, Some(CloseCode::KeptFailing));
        }
    }
}

impl Handler<Disconnect> for GroupRegistry {
    type Result = usize;

    fn handle(&mut self, Disconnect { session, close, before }: Disconnect, _: &mut Context<Self>) -> usize {
        let sockets = self.roster.sockets(&session).into_iter();
        let meant = sockets.filter(|socket| before.is_none_or(|before| socket.since_ms <= before));
        meant.map(|socket| socket.handle.close(close)).count()
    }
}
