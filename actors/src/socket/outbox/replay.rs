//! What a socket has missed: logged events, which a replay brings in front of the live ones, and texts of answers.

use std::sync::Arc;

use bytestring::ByteString;

use super::waiting::Waiting;
use super::{Delta, SocketHandle};
use crate::ids::{AnswerId, Epoch, GroupName, cut};

/// A replay goes on reading the log when less than this waits, in bytes.
const REPLAY_LOW_WATER: usize = 64 * 1024;

/// A socket that is to be brought up to date from the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Which log.
    pub group: GroupName,
    /// The log's life: another one means that there is nothing to replay.
    pub epoch: Epoch,
    /// The last `seq` that the client has.
    pub after: u64,
}

/// What a replay has read.
#[derive(Debug)]
pub struct ReplayPage {
    /// After which `seq`.
    pub after: u64,
    /// The events that follow.
    pub frames: Vec<ByteString>,
    /// The `seq` of the last of them; `after` if there is none.
    pub last: u64,
    /// The log has more.
    pub more: bool,
}

/// Where a replay of a group's log stands for this socket.
#[derive(Default)]
pub(super) struct Replaying {
    /// The newest live event that was left to the replay.
    pub(super) live: u64,
    /// How far it has come. Whoever reads on from elsewhere was overtaken by another one.
    pub(super) at: u64,
}

impl SocketHandle {
    /// What was written of an answer so far comes by [`Self::pay`]; until then its pieces are left out.
    pub fn owe(&self, answer: &AnswerId) {
        self.state().owed.insert(answer.clone(), (0, 0));
    }

    /// Queues the next piece of an answer that is owed, of at most so many bytes (and a character at least), which does not count
    /// against the bounds. `text` is all of it so far. Whether something of it is owed still.
    pub fn pay(&self, group: &GroupName, answer: &AnswerId, text: &str, most: usize) -> bool {
        let mut state = self.state();
        let Some((bytes, chars)) = state.owed.get(answer).copied() else { return false };
        let rest = text.get(bytes..).unwrap_or_default();
        let piece = cut(rest, most.max(4));
        let end = piece.len();
        let is_all = end == rest.len();
        if is_all {
            state.owed.remove(answer);
        } else {
            state.owed.insert(answer.clone(), (bytes + end, chars + piece.chars().count()));
        }
        if !piece.is_empty() {
            let delta = Delta::new(group.clone(), answer.clone(), chars, piece.to_owned());
            self.enqueue(&mut state, Waiting::Delta(Arc::new(delta)), false);
        }
        !is_all
    }

    /// From here on the group's logged events come from a replay of what is after this `seq`, until [`Self::push_replayed`] says that it
    /// is through.
    pub fn begin_replay(&self, group: &GroupName, after: u64) {
        let mut state = self.state();
        state.replayed.remove(group);
        state.replays.insert(group.clone(), Replaying { live: 0, at: after });
    }

    /// As [`Self::begin_replay`], for a client that has yet to say what it missed: until then, or until its time for that is over,
    /// nothing newer may come to it. `owed` is what it gets if it says nothing.
    pub fn withhold(&self, owed: Replay) {
        self.begin_replay(&owed.group, owed.after);
        self.state().withheld.insert(owed.group.clone(), owed);
    }

    /// What a group's client is owed, if its events are withheld; from here on they are no more, but for the replay that is due.
    pub fn take_withheld(&self, group: &GroupName) -> Option<Replay> {
        self.state().withheld.remove(group)
    }

    /// [`Self::take_withheld`] of all groups.
    pub fn take_all_withheld(&self) -> Vec<Replay> {
        std::mem::take(&mut self.state().withheld).into_values().collect()
    }

    /// Gives a replay up, and forgets what one has brought: live events flow again, from whatever `seq`.
    pub fn end_replay(&self, group: &GroupName) {
        let mut state = self.state();
        state.replays.remove(group);
        state.withheld.remove(group);
        state.replayed.remove(group);
    }

    /// Queues the events of a page that was read after some `seq`. `true`: the replay is through, and live events follow without hole or
    /// repetition; or it was given up, or another one has begun, and nothing was queued.
    pub fn push_replayed(&self, group: &GroupName, page: ReplayPage) -> bool {
        let ReplayPage { after, frames, last, more } = page;
        let mut state = self.state();
        let Some(replay) = state.replays.get_mut(group).filter(|replay| replay.at == after) else { return true };
        replay.at = last;
        let live = replay.live;
        for frame in frames {
            self.enqueue(&mut state, Waiting::Text(frame), false);
        }
        if more || live > last {
            return false;
        }
        state.replays.remove(group);
        state.replayed.insert(group.clone(), last);
        true
    }

    /// Waits until a replay may read on. `false`: the socket is closing.
    pub async fn wants_more(&self) -> bool {
        loop {
            let drained = self.0.drained.notified();
            {
                let state = self.state();
                if state.gone || state.closing.is_some() {
                    return false;
                }
                if state.bytes < REPLAY_LOW_WATER {
                    return true;
                }
            }
            // The sweep closes a socket whose queue does not drain, so this wait ends.
            drained.await;
        }
    }
}
