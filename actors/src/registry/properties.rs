//! Very long histories of a log, at random, beside the model that plays short ones in all orders: publications are lost, doubled and
//! late, replies are late, the log goes back, and a client is cut and comes back. It sees each event once and in order, or is told
//! that the log began anew, and in the end it has all.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;
use sophie_kit::properties::cases;

use super::group::replay;
use super::sequence::{Due, LogQuestion, Sequence};
use crate::ids::{Epoch, GroupName};
use crate::protocol::{Event, LogHead};
use crate::socket::{OutboxLimits, Outgoing, Replay, ReplayPage, SocketHandle};
use crate::store::{LogState, StoredEvent};

const LIMITS: OutboxLimits = OutboxLimits { bytes: 1 << 30, frames: 1 << 20, age: Duration::from_secs(1_000) };

#[derive(Debug, Clone, Copy)]
enum Act {
    /// An event is logged, and published.
    Append,
    /// The publication at this place of those under way arrives; it stays, if it is to come twice.
    Hear(usize, bool),
    /// The publication at this place is lost.
    Miss(usize),
    /// The node's connection was lost: it compares the log with where it stands, and will hear the reply.
    Compare,
    /// The node asks what it has to ask, if no question is under way.
    Ask,
    /// The oldest reply arrives.
    Reply,
    /// The log goes back by so many events and begins another life.
    GoBack(usize),
    /// The client's connection is cut, and it comes back where it was.
    Cut,
    /// The client's replay reads so many events.
    Replay(usize),
    /// The client reads what there is.
    Read,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        8 => Just(Act::Append),
        7 => (0..6_usize, any::<bool>()).prop_map(|(at, stays)| Act::Hear(at, stays)),
        2 => (0..6_usize).prop_map(Act::Miss),
        1 => Just(Act::Compare),
        4 => Just(Act::Ask),
        4 => Just(Act::Reply),
        1 => (0..4_usize).prop_map(Act::GoBack),
        2 => Just(Act::Cut),
        4 => (1..4_usize).prop_map(Act::Replay),
        4 => Just(Act::Read),
    ];
    prop::collection::vec(act, 1..300)
}

/// What the store holds.
struct Log {
    life: usize,
    began: u64,
    events: Vec<String>,
    appended: usize,
}

impl Log {
    fn epoch(&self) -> Epoch {
        Epoch::from(format!("life{}", self.life).as_str())
    }

    fn state(&self) -> LogState {
        LogState { head: LogHead { epoch: self.epoch(), seq: self.events.len() as u64 }, first: 1, began: self.began }
    }

    fn event(&self, seq: u64) -> StoredEvent {
        StoredEvent {
            seq,
            body: format!("{{\"type\":\"message\",\"text\":\"{}\"}}", self.events[seq as usize - 1]).into(),
        }
    }

    fn after(&self, seq: u64) -> Vec<StoredEvent> {
        (seq + 1..=self.events.len() as u64).map(|seq| self.event(seq)).collect()
    }
}

/// What the log has answered, as it was then.
enum Reply {
    Read(Epoch, Vec<StoredEvent>),
    Is(LogState),
    Compared(LogState),
}

/// What a client has: where it stands, and what it was shown since it was last told to begin there.
struct Client {
    at: (Epoch, u64),
    since: u64,
    texts: Vec<String>,
}

struct World {
    group: GroupName,
    log: Log,
    under_way: Vec<(Epoch, StoredEvent)>,
    sequence: Sequence,
    replies: VecDeque<Reply>,
    is_asking: bool,
    socket: SocketHandle,
    replay: Option<Replay>,
    client: Client,
}

impl World {
    fn new() -> Self {
        let group = GroupName::parse("g").expect("legal");
        let log = Log { life: 0, began: 0, events: Vec::new(), appended: 0 };
        let mut sequence = Sequence::default();
        sequence.opened(&log.state());
        let client = Client { at: (log.epoch(), 0), since: 0, texts: Vec::new() };
        Self {
            group,
            log,
            under_way: Vec::new(),
            sequence,
            replies: VecDeque::new(),
            is_asking: false,
            socket: SocketHandle::new(LIMITS, None, || {}),
            replay: None,
            client,
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Append => {
                self.log.appended += 1;
                self.log.events.push(self.log.appended.to_string());
                let event = self.log.event(self.log.events.len() as u64);
                self.under_way.push((self.log.epoch(), event));
            }
            Act::Hear(at, stays) if at < self.under_way.len() => {
                let (epoch, event) = self.under_way[at].clone();
                if !stays {
                    self.under_way.remove(at);
                }
                let due = self.sequence.arrived(&epoch, event);
                self.deliver(due);
            }
            Act::Miss(at) if at < self.under_way.len() => _ = self.under_way.remove(at),
            Act::Compare => self.replies.push_back(Reply::Compared(self.log.state())),
            Act::Ask if !self.is_asking => {
                let reply = match self.sequence.ask() {
                    Some(LogQuestion::After(seq)) => Reply::Read(self.log.epoch(), self.log.after(seq)),
                    // A life that has begun is told; within one, nothing is lost here.
                    Some(LogQuestion::Is(_)) => Reply::Is(self.log.state()),
                    None => return,
                };
                self.is_asking = true;
                self.replies.push_back(reply);
            }
            Act::Reply => {
                let due = match self.replies.pop_front() {
                    Some(Reply::Compared(state)) => self.sequence.opened(&state),
                    Some(Reply::Is(state)) => {
                        self.is_asking = false;
                        self.sequence.confirmed(&state)
                    }
                    Some(Reply::Read(epoch, events)) => {
                        self.is_asking = false;
                        self.sequence.filled(&epoch, events)
                    }
                    None => return,
                };
                self.deliver(due);
            }
            Act::GoBack(by) => {
                self.log.events.truncate(self.log.events.len().saturating_sub(by));
                self.log.life += 1;
                self.log.began = self.log.events.len() as u64;
            }
            Act::Cut => self.come_back(),
            Act::Replay(most) => self.replay(most),
            Act::Read => self.read(),
            Act::Hear(..) | Act::Miss(_) | Act::Ask => {}
        }
    }

    /// As the registry does.
    fn deliver(&mut self, due: Due) {
        if let Some((epoch, seq)) = due.reset {
            self.socket.end_replay(&self.group);
            self.socket.push(Event::LogReset { group: &self.group, epoch: &epoch, seq }.encode());
        }
        for event in due.events {
            self.socket.push_logged(&self.group, event.seq, event.frame());
        }
    }

    /// A new socket, as the registry attaches one to a session that is in the group.
    fn come_back(&mut self) {
        self.socket = SocketHandle::new(LIMITS, None, || {});
        let (epoch, seq) = self.sequence.at().map(|(epoch, seq)| (epoch.clone(), seq)).expect("opened");
        let (seen, since) = self.client.at.clone();
        let recovered = replay(&self.group, (&epoch, seq), Some(1), since, &seen);
        if recovered.is_none() {
            self.client = Client { at: (epoch, seq), since: seq, texts: Vec::new() };
        }
        self.replay = recovered.filter(|replay| replay.after < seq);
        if let Some(replay) = &self.replay {
            self.socket.begin_replay(&self.group, replay.after);
        }
    }

    /// A page of the replay, as the session reads it.
    fn replay(&mut self, most: usize) {
        let Some(replay) = &mut self.replay else { return };
        if self.log.epoch() != replay.epoch {
            self.replay = None;
            return;
        }
        let mut events = self.log.after(replay.after);
        let more = events.len() > most;
        events.truncate(most);
        let last = events.last().map_or(replay.after, |last| last.seq);
        let frames = events.iter().map(StoredEvent::frame).collect();
        let after = std::mem::replace(&mut replay.after, last);
        if self.socket.push_replayed(&self.group, ReplayPage { after, frames, last, more }) {
            self.replay = None;
        }
    }

    fn read(&mut self) {
        let mut frames = Vec::new();
        while let Poll::Ready(Some(Outgoing::Frames)) =
            self.socket.poll_outgoing(&mut Context::from_waker(Waker::noop()), &mut frames)
        {
            for frame in frames.drain(..) {
                let event: Value = serde_json::from_str(&frame).expect("JSON");
                let seq = event["seq"].as_u64().expect("a seq");
                if event["type"] == "log.reset" {
                    let epoch = Epoch::from(event["epoch"].as_str().expect("an epoch"));
                    self.client = Client { at: (epoch, seq), since: seq, texts: Vec::new() };
                } else {
                    assert_eq!(seq, self.client.at.1 + 1, "{event} follows {}", self.client.at.1);
                    self.client.at.1 = seq;
                    self.client.texts.push(event["text"].as_str().expect("a text").to_owned());
                }
            }
        }
    }

    /// Nothing fails any more, and the node looks once more at the log.
    fn come_to_rest(&mut self) {
        self.act(Act::Compare);
        // A doubt, a life, a gap, and what was under way before.
        for _ in 0..self.under_way.len() + self.replies.len() + 20 {
            for act in [Act::Hear(0, false), Act::Ask, Act::Reply, Act::Replay(1_000), Act::Read] {
                self.act(act);
            }
        }
    }
}

proptest! {
    #![proptest_config(cases("registry", 192))]

    #[test]
    fn a_client_sees_each_event_once_and_in_order_or_is_told_of_a_reset_and_has_all_in_the_end(acts in acts()) {
        let mut world = World::new();
        acts.into_iter().for_each(|act| world.act(act));
        world.come_to_rest();
        let World { log, client, sequence, .. } = world;
        prop_assert!(!sequence.has_questions());
        prop_assert_eq!(client.at, (log.epoch(), log.events.len() as u64));
        prop_assert_eq!(&client.texts[..], &log.events[client.since as usize..]);
    }
}
