//! What falls due in a session by itself: the end of a token, the renewal of its record, the end of its idleness. It looks when
//! the next of these is due, so a session that only waits costs nothing.

use std::time::Duration;

use actix::prelude::*;
use tokio::time::Instant;

use super::Session;
use crate::cluster::hold_to;
use crate::protocol::CloseCode;

/// However short the idleness that is set: a session that was just opened has no socket yet, since that is on its way.
const LEAST_IDLE: Duration = Duration::from_secs(2);
/// How soon a session without sockets looks again whether its answers have ended.
const ANSWERING: Duration = Duration::from_secs(1);
/// How often the record of a connected session, which lives for 24 h, is renewed.
const RENEW_RECORD: Duration = Duration::from_secs(3_600);
/// Tokens end by the clock on the wall, which may be put forward while the session sleeps.
const LONGEST_SLEEP: Duration = Duration::from_secs(300);
/// The store's clock may be a little behind.
const AFTER_AN_END: Duration = Duration::from_secs(2);

/// When the session looks next.
pub(super) struct Due {
    idle_since: Instant,
    renewed_at: Instant,
    /// What wakes it, and when.
    timer: Option<(SpawnHandle, Instant)>,
}

impl Due {
    pub(super) fn new() -> Self {
        Self { idle_since: Instant::now(), renewed_at: Instant::now(), timer: None }
    }

    /// Somebody wanted something of the session.
    pub(super) fn touched(&mut self) {
        self.idle_since = Instant::now();
    }
}

impl Session {
    /// Something may be due earlier than it was.
    pub(super) fn look_in_time(&mut self, ctx: &mut Context<Self>) {
        let next = self.next_due();
        let at = Instant::now() + next;
        if let Some((timer, earlier)) = self.due.timer {
            if earlier <= at {
                return;
            }
            ctx.cancel_future(timer);
        }
        self.due.timer = Some((ctx.run_later(next, Self::look), at));
    }

    fn next_due(&self) -> Duration {
        if self.sockets.is_empty() {
            return match self.node.slots.taken_here(&self.id) {
                0 => self.idle_time().saturating_sub(self.due.idle_since.elapsed()),
                _ => ANSWERING,
            };
        }
        let open = self.sockets.values().filter(|socket| socket.attached.handle.closing().is_none());
        let ends = open.filter_map(|socket| socket.attached.access.expires_in()).map(|end| end.min(LONGEST_SLEEP));
        let renewal = RENEW_RECORD.saturating_sub(self.due.renewed_at.elapsed());
        ends.min().map_or(renewal, |end| end.min(renewal))
    }

    fn idle_time(&self) -> Duration {
        Duration::from_secs(self.node.options.idle_seconds).max(LEAST_IDLE)
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        self.due.timer = None;
        let mut ended = false;
        for socket in self.sockets.values() {
            let attached = &socket.attached;
            if attached.access.expires_in() == Some(Duration::ZERO) {
                ended |= attached.handle.closing().is_none();
                attached.handle.close(CloseCode::BadToken);
            }
        }
        if ended {
            self.ask_those_who_stay(ctx);
        }
        if !self.sockets.is_empty() && self.due.renewed_at.elapsed() >= RENEW_RECORD {
            self.due.renewed_at = Instant::now();
            let (node, session) = (self.node.clone(), self.id.clone());
            // Reading it renews it; what fails now is done an hour later, long before the record's day is over.
            ctx.spawn(async move { _ = node.stores.sessions.load(&session).await }.into_actor(self));
        }
        if !self.sockets.is_empty() || self.node.slots.taken_here(&self.id) > 0 {
            self.due.touched();
        } else if self.due.idle_since.elapsed() >= self.idle_time() {
            ctx.stop();
            return;
        }
        self.look_in_time(ctx);
    }

    /// What was the newest may have ended: what those who stay have shown counts again.
    fn ask_those_who_stay(&self, ctx: &mut Context<Self>) {
        let accesses = self.sockets.values().map(|socket| socket.attached.access.clone());
        let staying: Vec<_> = accesses.filter(|access| access.expires_in() != Some(Duration::ZERO)).collect();
        let (node, session) = (self.node.clone(), self.id.clone());
        let asked = async move {
            tokio::time::sleep(AFTER_AN_END).await;
            for access in staying {
                let Some(shown) = access.rights() else { continue };
                if let Err(error) = hold_to(&node, &session, access.user(), &shown.again()).await {
                    log::debug!(session:%, error:%; "rights were not asked after the end of a token");
                }
            }
        };
        ctx.spawn(asked.into_actor(self));
    }
}
