//! The newest events of a log, for those who read along. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::ids::Epoch;
use crate::store::{Page, PageSize, StoredEvent};

/// What is read at once, and kept.
pub(super) const PAGE: PageSize = PageSize { events: 256, bytes: 1 << 20 };
/// How long it is believed that there is no more than what was read, if nothing else is heard: word from other nodes may be cut off.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// What is kept of a log: the events after a place, without holes.
#[derive(Debug, Default)]
pub(super) struct Recent {
    epoch: Option<Epoch>,
    after: u64,
    events: VecDeque<StoredEvent>,
    bytes: usize,
    /// When the log was read to its end, and how often there had been news of it before that.
    read: Option<(Instant, u64)>,
    failed: Option<Instant>,
}

impl Recent {
    /// The place of the last event.
    pub(super) fn end(&self) -> u64 {
        self.after + self.events.len() as u64
    }

    /// Whether what follows a place is here, as far as it is known.
    pub(super) fn covers(&self, after: u64) -> bool {
        self.epoch.is_some() && (self.after..=self.end()).contains(&after)
    }

    /// Whether a place lies before all that is here.
    pub(super) fn is_beyond(&self, after: u64) -> bool {
        self.epoch.is_some() && after < self.after
    }

    /// Whether it reaches to the log's end, with so much news of that.
    pub(super) fn is_fresh(&self, news: u64) -> bool {
        self.read.is_some_and(|(at, known)| known == news && at.elapsed() < FRESH_FOR)
    }

    /// Whether the store failed after a moment.
    pub(super) fn has_failed_since(&self, asked: Instant) -> bool {
        self.failed.is_some_and(|failed| failed > asked)
    }

    /// The store failed.
    pub(super) fn fail(&mut self) {
        self.failed = Some(Instant::now());
    }

    /// What was read from a place on, when there had been so much news.
    pub(super) fn add(&mut self, from: u64, page: &Page, news: u64) {
        let follows = |seq: u64| page.events.first().is_none_or(|first| first.seq == seq + 1);
        if page.epoch != self.epoch || from != self.end() || !follows(from) {
            let after = page.events.first().map_or(from, |first| first.seq.saturating_sub(1));
            *self = Self { epoch: page.epoch.clone(), after, ..Self::default() };
        }
        for event in &page.events {
            self.bytes += event.body.len();
            self.events.push_back(event.clone());
        }
        while self.events.len() > PAGE.events || (self.bytes > PAGE.bytes && self.events.len() > 1) {
            let Some(oldest) = self.events.pop_front() else { break };
            (self.after, self.bytes) = (oldest.seq, self.bytes - oldest.body.len());
        }
        self.read = (!page.more).then(|| (Instant::now(), news));
    }

    /// The events after a place, if they are here.
    pub(super) fn page(&self, after: u64, size: PageSize) -> Option<Page> {
        if !self.covers(after) {
            return None;
        }
        let (mut events, mut bytes) = (Vec::new(), 0);
        let skipped = usize::try_from(after - self.after).ok()?;
        for event in self.events.iter().skip(skipped) {
            bytes += event.body.len();
            if !events.is_empty() && (events.len() >= size.events || bytes > size.bytes) {
                return Some(Page { epoch: self.epoch.clone(), events, more: true });
            }
            events.push(event.clone());
        }
        Some(Page { epoch: self.epoch.clone(), events, more: self.read.is_none() })
    }
}
