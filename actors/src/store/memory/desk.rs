//! Who answers in groups, and which of them wait for a person, as a single node knows it.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::state::{Group, MemoryStore, State};
use crate::ids::{GroupName, SessionId};
use crate::protocol::{PersonState, unix_ms};
use crate::store::{
    Act, Asked, Asker, Attendance, Change, Desk, MOST_WAITING, PersonNews, PersonTold, REMARK_ONCE_SECONDS,
    StoreResult, Waiting,
};

/// What a group knows of people.
#[derive(Default)]
pub(super) struct Wish {
    changes: u64,
    person: Option<PersonState>,
    /// Who asked, and when the first did, while it waits.
    asked: Option<(Asker, u64)>,
}

impl Wish {
    pub(super) const fn waits(&self) -> bool {
        self.asked.is_some()
    }
}

impl Group {
    fn attendance(&self) -> Attendance {
        let (changes, person) = (self.wish.changes, self.wish.person);
        Attendance { epoch: Some(self.epoch.clone()), changes, assistant: self.assistant, person }
    }
}

impl State {
    /// Whether an id of a session is known: for this, or for something else.
    pub(super) fn known_remark(&self, session: &SessionId, id: Option<&str>, fingerprint: &str) -> Option<bool> {
        let key = (session.clone(), id?.to_owned());
        self.remarks.get(&key, Instant::now()).map(|known| known == fingerprint)
    }

    /// Notes an id of a session.
    pub(super) fn note_remark(&mut self, session: &SessionId, id: Option<&str>, fingerprint: String) {
        let (Some(id), now) = (id, Instant::now()) else { return };
        let until = now + Duration::from_secs(REMARK_ONCE_SECONDS);
        self.remarks.put((session.clone(), id.to_owned()), fingerprint, until, now);
    }

    /// Drops what waits no more since its group has ended; how many are left.
    fn still_waiting(&mut self, now: Instant) -> usize {
        let Self { waiting, groups, .. } = self;
        waiting.retain(|(since, name)| {
            let asked = groups.get(name, now).and_then(|group| group.wish.asked.as_ref());
            asked.is_some_and(|(_, at)| at == since)
        });
        waiting.len()
    }

    fn row(&self, name: &GroupName, now: Instant) -> Option<Waiting> {
        let group = self.groups.get(name, now)?;
        let (asker, since_ms) = group.wish.asked.clone()?;
        Some(Waiting { group: name.clone(), since_ms, asker, assistant: group.assistant })
    }
}

#[async_trait]
impl Desk for MemoryStore {
    async fn ask(&self, name: &GroupName, asker: &Asker, id: Option<&str>) -> StoreResult<Asked> {
        let (mut state, now, at_ms) = (self.lock(), Instant::now(), unix_ms());
        let fingerprint = asker.fingerprint(name);
        if let Some(is_same) = state.known_remark(&asker.session, id, &fingerprint) {
            return Ok(if is_same { Asked::Again } else { Asked::Conflict });
        }
        let first = state.groups.get(name, now).is_none_or(|group| !group.wish.waits());
        if first && state.still_waiting(now) >= MOST_WAITING {
            return Ok(Asked::Full);
        }
        state.note_remark(&asker.session, id, fingerprint);
        let group = state.group(name, now);
        let since = group.wish.asked.as_ref().map_or(at_ms, |(_, since)| *since);
        group.wish.asked = Some((asker.clone(), since));
        group.wish.person = Some(PersonState::Asked);
        group.wish.changes += u64::from(first);
        let (attendance, on) = (group.attendance(), group.assistant);
        state.waiting.insert((since, name.clone()));
        state.outlast(name, now);
        let told = PersonTold { group: name.clone(), state: PersonNews::Asked, on, asker: Some(asker.clone()), at_ms };
        let change = Change { attendance, told: Some(told), waiting: state.waiting.len() };
        Ok(Asked::Noted { change, first })
    }

    async fn settle(&self, name: &GroupName, act: Act) -> StoreResult<Option<Change>> {
        let (mut state, now) = (self.lock(), Instant::now());
        let waits = state.groups.get(name, now).is_some_and(|group| group.wish.waits());
        if act == Act::Dismiss && !waits {
            return Ok(None);
        }
        let group = state.group(name, now);
        let (was_on, before) = (group.assistant, group.wish.person);
        let (on, person, news) = match act {
            Act::TakeOver => (false, before.map(|it| if waits { PersonState::Taken } else { it }), PersonNews::Taken),
            Act::Dismiss => (was_on, Some(PersonState::Dismissed), PersonNews::Dismissed),
            // Who waits goes on waiting; what came of an earlier wish is over.
            Act::HandBack => (true, before.filter(|_| waits), PersonNews::HandedBack),
        };
        let changed = on != was_on || person != before;
        (group.assistant, group.wish.person) = (on, person);
        group.wish.changes += u64::from(changed);
        let asked = if act == Act::HandBack { None } else { group.wish.asked.take() };
        let attendance = group.attendance();
        if let Some((_, since)) = &asked {
            state.waiting.remove(&(*since, name.clone()));
        }
        state.outlast(name, now);
        let asker = asked.map(|(asker, _)| asker);
        let told = changed.then(|| PersonTold { group: name.clone(), state: news, on, asker, at_ms: unix_ms() });
        Ok(Some(Change { attendance, told, waiting: state.waiting.len() }))
    }

    async fn attendance(&self, groups: &[GroupName]) -> StoreResult<Vec<Attendance>> {
        let (state, now) = (self.lock(), Instant::now());
        let known = |name| state.groups.get(name, now).map(Group::attendance).unwrap_or_default();
        Ok(groups.iter().map(known).collect())
    }

    async fn waiting(&self, prefix: &str, after: Option<(u64, &str)>, limit: usize) -> StoreResult<Vec<Waiting>> {
        let (mut state, now) = (self.lock(), Instant::now());
        state.still_waiting(now);
        let behind = state.waiting.iter().filter(|(since, name)| {
            after.is_none_or(|after| (*since, name.as_str()) > after) && name.as_str().starts_with(prefix)
        });
        Ok(behind.filter_map(|(_, name)| state.row(name, now)).take(limit).collect())
    }

    async fn newest(&self) -> StoreResult<Option<Waiting>> {
        let (mut state, now) = (self.lock(), Instant::now());
        state.still_waiting(now);
        let last = state.waiting.last().map(|(_, name)| name.clone());
        Ok(last.and_then(|name| state.row(&name, now)))
    }

    async fn waits(&self, group: &GroupName) -> StoreResult<Option<Waiting>> {
        Ok(self.lock().row(group, Instant::now()))
    }

    async fn count(&self) -> StoreResult<usize> {
        Ok(self.lock().still_waiting(Instant::now()))
    }
}
