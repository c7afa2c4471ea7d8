//! What a single node keeps under one lock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytestring::ByteString;
use tokio::time::Instant;

use super::desk::Wish;
use super::{Expiring, MemoryOptions};
use crate::ids::{AnswerId, Epoch, GroupName, MessageId, SessionId};
use crate::protocol::{self, LogHead};
use crate::store::{
    ANSWER_LEASE_SECONDS, AnswerRecord, Append, Appended, BLANK_GROUP_HELD_SECONDS, BLANK_GROUP_SECONDS, Feedback,
    LogState, Once, RECORD_SECONDS, SessionRecord, StoredEvent,
};

/// Groups, logs, once-only ids, answers and sessions under one lock, since ending an answer touches the first of them in one
/// step, and a session lives as long as its home group.
pub struct MemoryStore {
    state: Mutex<State>,
}

/// What the lock guards.
pub(super) struct State {
    pub(super) groups: Expiring<GroupName, Group>,
    /// The groups' names in order, for who lists them; those of groups that have ended among them for a while.
    pub(super) names: BTreeSet<GroupName>,
    pub(super) once: Expiring<(String, String), KnownOnce>,
    pub(super) answers: Expiring<AnswerId, Answer>,
    pub(super) sessions: Expiring<SessionId, Session>,
    /// The groups that wait for a person, with since when; those that have ended among them for a while.
    pub(super) waiting: BTreeSet<(u64, GroupName)>,
    /// The ratings of all, by their numbers.
    pub(super) feedback: BTreeMap<u64, (Instant, Feedback)>,
    /// What was said beside a chat under an id.
    pub(super) remarks: Expiring<(SessionId, String), String>,
    log_events: usize,
    log_age: Duration,
    group_life: Duration,
}

/// One group: its log and its switch.
pub(super) struct Group {
    pub(super) epoch: Epoch,
    /// The epoch that the log began with, by which once-only ids name it, and where the present one began.
    pub(super) log: Epoch,
    pub(super) began: u64,
    pub(super) seq: u64,
    pub(super) created_at_ms: u64,
    pub(super) assistant: bool,
    pub(super) wish: Wish,
    events: VecDeque<(Instant, ByteString)>,
}

/// A session's record, and since when its rights count; in Unix seconds.
#[derive(Default, PartialEq)]
pub(super) struct Session {
    pub(super) record: SessionRecord,
    pub(super) granted: Option<u64>,
    /// Until when they are good.
    pub(super) until: Option<u64>,
    /// What it has rated, oldest first, with the numbers of the ratings.
    pub(super) ratings: Vec<(u64, Feedback)>,
}

/// What is remembered of a once-only id.
pub(super) struct KnownOnce {
    pub(super) fingerprint: String,
    pub(super) group: GroupName,
    pub(super) log: Epoch,
    pub(super) seq: u64,
    pub(super) message: Option<MessageId>,
    pub(super) answered: Option<AnswerId>,
    /// Its answer was owed when it was logged.
    pub(super) owes: bool,
}

/// An answer's state.
pub(super) enum Answer {
    /// Owed, and to be begun until the lease ends.
    Owed { record: AnswerRecord, lease: Instant },
    /// Under way until the lease ends.
    Running { record: AnswerRecord, lease: Instant },
    /// Ended, at this place in its group's log.
    Ended { seq: u64 },
}

impl MemoryStore {
    pub(super) fn new(options: &MemoryOptions) -> Self {
        let log_age = Duration::from_secs(options.log_seconds);
        let state = State {
            groups: Expiring::new(),
            names: BTreeSet::new(),
            once: Expiring::new(),
            answers: Expiring::new(),
            sessions: Expiring::new(),
            waiting: BTreeSet::new(),
            feedback: BTreeMap::new(),
            remarks: Expiring::new(),
            log_events: options.log_events.max(1),
            log_age,
            group_life: log_age.max(Duration::from_secs(options.group_expiry_seconds)),
        };
        Self { state: Mutex::new(state) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How long a session's record lives: never shorter than its home group.
    pub(super) fn record_life(&self) -> Duration {
        self.group_life.max(Duration::from_secs(RECORD_SECONDS))
    }

    /// The record of the session whose home group this is lives as long as the group.
    fn keep_owner(&mut self, name: &GroupName, now: Instant) {
        if let Some(session) = name.home_of() {
            let until = now + self.record_life();
            self.sessions.renew(&session, Some(until), now);
        }
    }

    /// The group, made if there is none, its life renewed and what is too old in its log dropped.
    pub(super) fn group(&mut self, name: &GroupName, now: Instant) -> &mut Group {
        let (age, life) = (self.log_age, self.group_life);
        let (group, until) = self.made(name, now);
        *until = group.end(*until, life, BLANK_GROUP_SECONDS, now);
        group.forget(age, now);
        group
    }

    /// The group, made if there is none, and its end.
    fn made(&mut self, name: &GroupName, now: Instant) -> (&mut Group, &mut Instant) {
        self.keep_owner(name, now);
        if self.groups.get(name, now).is_none() {
            self.make(name, now);
        }
        self.groups.living(name, now).expect("made above if it was not there")
    }

    fn make(&mut self, name: &GroupName, now: Instant) {
        let epoch = Epoch::random();
        let group = Group {
            log: epoch.clone(),
            epoch,
            began: 0,
            seq: 0,
            created_at_ms: protocol::unix_ms(),
            assistant: true,
            wish: Wish::default(),
            events: VecDeque::new(),
        };
        self.groups.put(name.clone(), group, now + Duration::from_secs(BLANK_GROUP_SECONDS), now);
        self.names.insert(name.clone());
        if self.names.len() > 2 * self.groups.held() {
            let groups = &self.groups;
            self.names.retain(|name| groups.get(name, now).is_some());
        }
    }

    /// Somebody is in these groups.
    pub(super) fn held(&mut self, names: &[GroupName], now: Instant) {
        let life = self.group_life;
        for name in names {
            if let Some((group, until)) = self.groups.living(name, now) {
                *until = group.end(*until, life, BLANK_GROUP_HELD_SECONDS, now);
                self.keep_owner(name, now);
            }
        }
    }

    /// Nobody is in these groups any more.
    pub(super) fn left(&mut self, names: &[GroupName], now: Instant) {
        for name in names {
            let blank = self
                .groups
                .get(name, now)
                .is_some_and(|group| group.seq == 0 && group.assistant && !group.wish.waits());
            if blank {
                let until = now + self.group_life.min(Duration::from_secs(BLANK_GROUP_SECONDS));
                self.groups.renew(name, Some(until), now);
            }
        }
    }

    /// Adds the event that stands at the log's next place; returns the log's head, and the epoch that the log began with.
    pub(super) fn append(
        &mut self,
        name: &GroupName,
        event: impl FnOnce(u64) -> ByteString,
        now: Instant,
    ) -> (LogHead, Epoch) {
        let (most, age, life) = (self.log_events, self.log_age, self.group_life);
        let (group, until) = self.made(name, now);
        *until = now + life;
        group.forget(age, now);
        group.seq += 1;
        group.events.push_back((now, event(group.seq)));
        if group.events.len() > most {
            group.events.pop_front();
        }
        (LogHead { epoch: group.epoch.clone(), seq: group.seq }, group.log.clone())
    }

    /// What an operator decided, or somebody asked of operators, outlasts the silence of the group.
    pub(super) fn outlast(&mut self, name: &GroupName, now: Instant) {
        self.groups.renew(name, Some(now + self.group_life), now);
    }

    /// Notes the answer that a message is owed, if it is and the assistant is on. Whether it was.
    pub(super) fn owe(&mut self, append: &Append, message: Option<&MessageId>, now: Instant) -> bool {
        let (Some(node), Some(message)) = (&append.owes, message) else { return false };
        if !self.groups.get(&append.group, now).is_some_and(|group| group.assistant) {
            return false;
        }
        let answer = AnswerId::owed_to(message);
        let record = AnswerRecord {
            answer: answer.clone(),
            group: append.group.clone(),
            message: message.clone(),
            node: node.clone(),
            text: String::new(),
            reasoning: String::new(),
            start: None,
        };
        let owed = Answer::Owed { record, lease: now + Duration::from_secs(ANSWER_LEASE_SECONDS) };
        self.answers.put(answer, owed, now + Duration::from_secs(RECORD_SECONDS), now);
        true
    }

    /// What is known of a message, with whether it is owed its answer still.
    pub(super) fn with_debt(&self, known: Appended, now: Instant) -> Appended {
        match known {
            Appended::Again { seq, message: Some(message), owed: true } => {
                let answer = self.answers.get(&AnswerId::owed_to(&message), now);
                let owed = matches!(answer, Some(Answer::Owed { .. }));
                Appended::Again { seq, message: Some(message), owed }
            }
            other => other,
        }
    }

    /// The group as it is to be read; nothing is made or renewed.
    pub(super) fn seen(&mut self, name: &GroupName, now: Instant) -> Option<&Group> {
        let age = self.log_age;
        let group = self.groups.renew(name, None, now)?;
        group.forget(age, now);
        Some(group)
    }

    /// What is known of an id, unless the log that it went to is lost.
    pub(super) fn known(&mut self, once: &Once, now: Instant) -> Option<&mut KnownOnce> {
        let Self { once: ids, groups, .. } = self;
        let known = ids.renew(&(once.scope.clone(), once.id.clone()), None, now)?;
        let group = groups.get(&known.group, now)?;
        (group.log == known.log && known.seq <= group.seq).then_some(known)
    }
}

impl Group {
    /// Until when it lives that was to live until then: one in which nothing was ever logged `blank` seconds more at least.
    fn end(&self, until: Instant, life: Duration, blank: u64, now: Instant) -> Instant {
        match self.seq {
            0 => until.max(now + life.min(Duration::from_secs(blank))),
            _ => now + life,
        }
    }

    fn forget(&mut self, age: Duration, now: Instant) {
        while self.events.front().is_some_and(|(at, _)| now.duration_since(*at) >= age) {
            self.events.pop_front();
        }
    }

    pub(super) fn first(&self) -> u64 {
        self.seq + 1 - self.events.len() as u64
    }

    pub(super) fn state(&self) -> LogState {
        LogState { head: LogHead { epoch: self.epoch.clone(), seq: self.seq }, first: self.first(), began: self.began }
    }

    /// The kept events, oldest first.
    pub(super) fn events(&self) -> impl DoubleEndedIterator<Item = StoredEvent> {
        let first = self.first();
        let event = move |(place, (_, body)): (usize, &(Instant, ByteString))| StoredEvent {
            seq: first + place as u64,
            body: body.clone(),
        };
        self.events.iter().enumerate().map(event)
    }
}
