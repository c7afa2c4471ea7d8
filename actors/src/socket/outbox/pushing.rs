//! What is put into the queue, and its bounds.

use std::sync::Arc;

use bytestring::ByteString;

use super::{Delta, Queued, SocketHandle, State, Waiting};
use crate::ids::GroupName;
use crate::protocol::CloseCode;
use crate::socket::Burst;

impl SocketHandle {
    /// Queues a frame. `false`: the socket is closing (perhaps because of this very frame).
    pub fn push(&self, frame: ByteString) -> bool {
        let mut state = self.state();
        self.enqueue(&mut state, Waiting::Text(frame), true)
    }

    /// Queues a frame for which its sender has waited by [`Self::wants_more`]: it does not count against the bounds. `false`: the socket is
    /// closing.
    pub fn push_in_turn(&self, frame: ByteString) -> bool {
        self.enqueue(&mut self.state(), Waiting::Text(frame), false)
    }

    /// Queues an event of a group's log, unless a replay brings it or has brought it.
    pub fn push_logged(&self, group: &GroupName, seq: u64, frame: ByteString) -> bool {
        let mut state = self.state();
        if let Some(behind) = &mut state.behind {
            if let Some(replay) = behind.replays.get_mut(group) {
                replay.live = replay.live.max(seq);
                return true;
            }
            if behind.replayed.get(group).is_some_and(|last| seq <= *last) {
                return true;
            }
            state.catch_up(|behind| behind.replayed.remove(group));
        }
        self.enqueue(&mut state, Waiting::Text(frame), true)
    }

    /// Queues a piece of an answer; merged with the piece before it if that still waits.
    pub fn push_delta(&self, delta: &Arc<Delta>) -> bool {
        let mut state = self.state();
        if state.behind.as_ref().is_some_and(|behind| behind.owed.contains_key(&delta.of)) {
            // It comes with what is owed.
            return true;
        }
        let place = state.deltas.get(&delta.of).and_then(|at| at.checked_sub(state.popped));
        let waiting = place.and_then(|place| usize::try_from(place).ok()).and_then(|place| state.queue.get_mut(place));
        if let Some(queued) = waiting {
            let added = delta.text.len();
            queued.frame = match std::mem::replace(&mut queued.frame, Waiting::Text(ByteString::new())) {
                Waiting::Delta(first) => Waiting::Merged(Box::new(Delta {
                    group: first.group.clone(),
                    of: first.of.clone(),
                    offset: first.offset,
                    text: [first.text.as_str(), delta.text.as_str()].concat(),
                    frame: ByteString::new(),
                })),
                Waiting::Merged(mut merged) => {
                    merged.text.push_str(&delta.text);
                    Waiting::Merged(merged)
                }
                text => text,
            };
            queued.bytes += added;
            state.bytes += added;
            state.counted_bytes += added;
            return self.within_bounds(&mut state);
        }
        let position = state.popped + state.queue.len() as u64;
        state.deltas.insert(delta.of.clone(), position);
        self.enqueue(&mut state, Waiting::Delta(delta.clone()), true)
    }

    pub(super) fn enqueue(&self, state: &mut State, frame: Waiting, counted: bool) -> bool {
        if state.closing.is_some() || state.gone {
            return false;
        }
        let bytes = match &frame {
            Waiting::Text(frame) => frame.len(),
            Waiting::Delta(delta) => delta.frame.len(),
            Waiting::Merged(delta) => delta.text.len(),
        };
        if state.queue.capacity() == 0 {
            // Most frames are taken before the next one comes.
            state.queue.reserve_exact(1);
        }
        state.queue.push_back(Queued { frame, bytes, counted, at: Burst::now() });
        state.bytes += bytes;
        if counted {
            state.counted_bytes += bytes;
            state.counted_frames += 1;
            if !self.within_bounds(state) {
                return false;
            }
        }
        if state.is_waiting {
            self.wake(state);
        }
        true
    }

    fn within_bounds(&self, state: &mut State) -> bool {
        let State { counted_bytes, counted_frames, .. } = *state;
        // One frame may be as large as it is: there is nothing that it waits behind.
        let full = counted_frames > 1
            && (counted_bytes > self.0.limits.bytes || counted_frames as usize > self.0.limits.frames);
        if full {
            self.begin_close(state, CloseCode::Slow.into());
        }
        !full
    }
}
