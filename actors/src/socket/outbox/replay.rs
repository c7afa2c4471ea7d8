//! What a socket has missed: logged events, which a replay brings in front of the live ones, and texts of answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytestring::ByteString;

use super::waiting::Waiting;
use super::{Delta, Owed, SocketHandle, State};
use crate::ids::{Epoch, GroupName, cut};
use crate::protocol::AnswerText;

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

/// What one socket has yet to be brought.
#[derive(Default)]
pub(super) struct Behind {
    /// Texts of which it has yet to get what was written so far: how much it has, in bytes and characters.
    pub(super) owed: BTreeMap<AnswerText, (usize, usize)>,
    pub(super) replays: BTreeMap<GroupName, Replaying>,
    /// Groups whose logged events wait for the client to say from where it wants them, with what is owed if it does not.
    pub(super) withheld: BTreeMap<GroupName, Replay>,
    /// What a replay has delivered already and the live path may bring again.
    pub(super) replayed: BTreeMap<GroupName, u64>,
}

impl Behind {
    fn is_nothing(&self) -> bool {
        self.owed.is_empty() && self.replays.is_empty() && self.withheld.is_empty() && self.replayed.is_empty()
    }
}

impl State {
    fn behind(&mut self) -> &mut Behind {
        self.behind.get_or_insert_default()
    }

    /// Takes something off what it has yet to be brought, which is forgotten when it has all.
    pub(super) fn catch_up<T>(&mut self, take: impl FnOnce(&mut Behind) -> T) -> Option<T> {
        let behind = self.behind.as_mut()?;
        let taken = take(behind);
        if behind.is_nothing() {
            self.behind = None;
        }
        Some(taken)
    }
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
    /// What was written of a text so far comes by [`Self::pay`]; until then its pieces are left out.
    pub fn owe(&self, of: &AnswerText) {
        self.state().behind().owed.insert(of.clone(), (0, 0));
    }

    /// Queues the next piece of a text that is owed, of at most so many bytes (and a character at least), which does not count
    /// against the bounds. `text` is all of it so far. Whether something of it is owed still.
    pub fn pay(&self, Owed { group, of }: &Owed, text: &str, most: usize) -> bool {
        let mut state = self.state();
        let owed = state.behind.as_ref().and_then(|behind| behind.owed.get(of));
        let Some((bytes, chars)) = owed.copied() else { return false };
        let rest = text.get(bytes..).unwrap_or_default();
        let piece = cut(rest, most.max(4));
        let end = piece.len();
        let is_all = end == rest.len();
        if is_all {
            state.catch_up(|behind| behind.owed.remove(of));
        } else {
            state.behind().owed.insert(of.clone(), (bytes + end, chars + piece.chars().count()));
        }
        if !piece.is_empty() {
            let delta = Delta::new(group.clone(), of.clone(), chars, piece.to_owned());
            self.enqueue(&mut state, Waiting::Delta(Arc::new(delta)), false);
        }
        !is_all
    }

    /// From here on the group's logged events come from a replay of what is after this `seq`, until [`Self::push_replayed`] says that it
    /// is through.
    pub fn begin_replay(&self, group: &GroupName, after: u64) {
        let mut state = self.state();
        let behind = state.behind();
        behind.replayed.remove(group);
        behind.replays.insert(group.clone(), Replaying { live: 0, at: after });
    }

    /// As [`Self::begin_replay`], for a client that has yet to say what it missed: until then, or until its time for that is over,
    /// nothing newer may come to it. `owed` is what it gets if it says nothing.
    pub fn withhold(&self, owed: Replay) {
        self.begin_replay(&owed.group, owed.after);
        self.state().behind().withheld.insert(owed.group.clone(), owed);
    }

    /// What a group's client is owed, if its events are withheld; from here on they are no more, but for the replay that is due.
    pub fn take_withheld(&self, group: &GroupName) -> Option<Replay> {
        self.state().catch_up(|behind| behind.withheld.remove(group)).flatten()
    }

    /// [`Self::take_withheld`] of all groups.
    pub fn take_all_withheld(&self) -> Vec<Replay> {
        let withheld = self.state().catch_up(|behind| std::mem::take(&mut behind.withheld));
        withheld.unwrap_or_default().into_values().collect()
    }

    /// Gives a replay up, and forgets what one has brought: live events flow again, from whatever `seq`.
    pub fn end_replay(&self, group: &GroupName) {
        self.state().catch_up(|behind| {
            behind.replays.remove(group);
            behind.withheld.remove(group);
            behind.replayed.remove(group);
        });
    }

    /// Queues the events of a page that was read after some `seq`. `true`: the replay is through, and live events follow without hole or
    /// repetition; or it was given up, or another one has begun, and nothing was queued.
    pub fn push_replayed(&self, group: &GroupName, page: ReplayPage) -> bool {
        let ReplayPage { after, frames, last, more } = page;
        let mut state = self.state();
        let replay = state.behind.as_mut().and_then(|behind| behind.replays.get_mut(group));
        let Some(replay) = replay.filter(|replay| replay.at == after) else { return true };
        replay.at = last;
        let live = replay.live;
        for frame in frames {
            self.enqueue(&mut state, Waiting::Text(frame), false);
        }
        if more || live > last {
            return false;
        }
        let behind = state.behind();
        behind.replays.remove(group);
        behind.replayed.insert(group.clone(), last);
        true
    }

    /// Waits until a replay may read on, or whoever else waits for room. `false`: the socket is closing.
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
