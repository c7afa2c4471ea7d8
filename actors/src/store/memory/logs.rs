//! Logs and the index of groups of a single node.

use std::ops::Bound;

use async_trait::async_trait;
use tokio::time::Instant;

use super::state::{Group, KnownOnce, MemoryStore, State};
use crate::ids::{Epoch, GroupName};
use crate::protocol::{self, LogHead};
use crate::store::{
    Append, Appended, GroupIndex, GroupInfo, LogState, Logs, Once, Page, PageSize, StoreResult, StoredEvent,
};

#[async_trait]
impl Logs for MemoryStore {
    async fn append(&self, append: Append) -> StoreResult<Appended> {
        let mut state = self.lock();
        let now = Instant::now();
        if let Some(once) = &append.once
            && let Some(known) = state.known(once, now)
        {
            let again = again(known, once);
            return Ok(state.with_debt(again, now));
        }
        let mut message = None;
        let event = |seq| {
            let (event, id) = append.logged(seq);
            message = id;
            event.body
        };
        let (head, log) = state.append(&append.group, event, now);
        let owed = state.owe(&append, message.as_ref(), now);
        if let Some(once) = append.once {
            let known = KnownOnce {
                fingerprint: once.fingerprint,
                group: append.group,
                log,
                seq: head.seq,
                message,
                answered: None,
                owes: owed,
            };
            state.once.put((once.scope, once.id), known, now + std::time::Duration::from_secs(once.seconds), now);
        }
        Ok(Appended::New { epoch: head.epoch, seq: head.seq, owed })
    }

    async fn recall(&self, once: &Once) -> StoreResult<Option<Appended>> {
        let (mut state, now) = (self.lock(), Instant::now());
        let known = state.known(once, now).map(|known| again(known, once));
        Ok(known.map(|known| state.with_debt(known, now)))
    }

    async fn open(&self, groups: &[GroupName]) -> StoreResult<Vec<LogState>> {
        let mut state = self.lock();
        let now = Instant::now();
        Ok(groups.iter().map(|group| state.group(group, now).state()).collect())
    }

    async fn confirm(&self, group: &GroupName, head: &LogHead) -> StoreResult<LogState> {
        let mut state = self.lock();
        let group = state.group(group, Instant::now());
        if group.epoch == head.epoch && group.seq < head.seq {
            group.epoch = Epoch::random();
            group.began = group.seq;
        }
        Ok(group.state())
    }

    async fn read_after(&self, group: &GroupName, after: u64, size: PageSize) -> StoreResult<Page> {
        let mut state = self.lock();
        let Some(group) = state.seen(group, Instant::now()) else { return Ok(Page::none()) };
        let (events, more) = take(group.events().filter(|event| event.seq > after), size);
        Ok(Page { epoch: Some(group.epoch.clone()), events, more })
    }

    async fn read_before(&self, group: &GroupName, before: Option<u64>, size: PageSize) -> StoreResult<Page> {
        let mut state = self.lock();
        Ok(state.seen(group, Instant::now()).map_or(Page::none(), |group| page_before(group, before, size)))
    }
}

/// The newest events before one.
pub(super) fn page_before(group: &Group, before: Option<u64>, size: PageSize) -> Page {
    let older = group.events().rev().filter(|event| before.is_none_or(|before| event.seq < before));
    let (mut events, more) = take(older, size);
    events.reverse();
    Page { epoch: Some(group.epoch.clone()), events, more }
}

fn again(known: &KnownOnce, once: &Once) -> Appended {
    if known.fingerprint != once.fingerprint {
        return Appended::Conflict;
    }
    Appended::Again { seq: known.seq, message: known.message.clone(), owed: known.owes }
}

/// The first events that fit, at least one, and whether there are more.
fn take(events: impl Iterator<Item = StoredEvent>, size: PageSize) -> (Vec<StoredEvent>, bool) {
    let mut taken: Vec<StoredEvent> = Vec::new();
    let mut bytes = 0;
    for event in events {
        bytes += event.body.len();
        if !taken.is_empty() && (taken.len() >= size.events || bytes > size.bytes) {
            return (taken, true);
        }
        taken.push(event);
    }
    (taken, false)
}

#[async_trait]
impl GroupIndex for MemoryStore {
    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> StoreResult<Vec<GroupInfo>> {
        let mut state = self.lock();
        let now = Instant::now();
        let start = match cursor {
            Some(cursor) if cursor >= prefix => Bound::Excluded(cursor),
            _ => Bound::Included(prefix),
        };
        let State { names, groups, .. } = &mut *state;
        let names = names.range::<str, _>((start, Bound::Unbounded));
        let infos = names.take_while(|name| name.as_str().starts_with(prefix)).filter_map(|name| {
            let (group, until) = groups.living(name, now)?;
            Some(info(name, group, *until, now))
        });
        Ok(infos.take(limit).collect())
    }

    async fn info(&self, group: &GroupName) -> StoreResult<Option<GroupInfo>> {
        let mut state = self.lock();
        let now = Instant::now();
        Ok(state.groups.living(group, now).map(|(kept, until)| info(group, kept, *until, now)))
    }

    async fn delete(&self, group: &GroupName) -> StoreResult<bool> {
        Ok(self.lock().groups.remove(group, Instant::now()).is_some())
    }
}

fn info(name: &GroupName, group: &Group, until: Instant, now: Instant) -> GroupInfo {
    let left = u64::try_from(until.duration_since(now).as_millis()).unwrap_or(u64::MAX);
    GroupInfo {
        name: name.clone(),
        created_at_ms: group.created_at_ms,
        expires_at_ms: protocol::unix_ms().saturating_add(left),
        last_seq: group.seq,
        assistant: group.assistant,
    }
}
