//! Answers of a single node: owed, under way, ended.

use std::time::Duration;

use async_trait::async_trait;
use bytestring::ByteString;
use tokio::time::Instant;

use super::logs::page_before;
use super::state::{Answer, MemoryStore};
use crate::ids::{AnswerId, GroupName};
use crate::store::{
    ANSWER_LEASE_SECONDS, AnswerRecord, AnswerRecords, CLAIM_SECONDS, ENDED_SECONDS, Ended, Once, Page, RECORD_SECONDS,
    Renewed, StoreResult, TakenUp, Wanted,
};

const LEASE: Duration = Duration::from_secs(ANSWER_LEASE_SECONDS);
const CLAIM: Duration = Duration::from_secs(CLAIM_SECONDS);
const RUNNING: Duration = Duration::from_secs(RECORD_SECONDS);
const ENDED: Duration = Duration::from_secs(ENDED_SECONDS);

impl MemoryStore {
    /// Renews the lease of an answer that grows.
    fn grow(&self, answer: &AnswerId, by: impl FnOnce(&mut AnswerRecord)) -> Renewed {
        let now = Instant::now();
        match self.lock().answers.renew(answer, None, now) {
            Some(Answer::Running { record, lease }) => {
                by(record);
                *lease = now + LEASE;
                Renewed::Held
            }
            Some(Answer::Ended { .. }) => Renewed::Ended,
            Some(Answer::Owed { .. }) | None => Renewed::Unknown,
        }
    }
}

#[async_trait]
impl AnswerRecords for MemoryStore {
    async fn take_up(
        &self,
        record: &AnswerRecord,
        once: Option<&Once>,
        wanted: Option<&Wanted>,
    ) -> StoreResult<TakenUp> {
        let mut state = self.lock();
        let now = Instant::now();
        match state.answers.get(&record.answer, now) {
            Some(Answer::Ended { .. }) => return Ok(TakenUp::Before),
            Some(Answer::Running { record: other, .. }) if other.node != record.node => return Ok(TakenUp::Before),
            _ => {}
        }
        let known = once.and_then(|once| state.known(once, now)).and_then(|known| known.answered.as_ref());
        if known.is_some_and(|answer| *answer != record.answer) {
            return Ok(TakenUp::Before);
        }
        let page = match (wanted, wanted.and_then(|_| state.seen(&record.group, now))) {
            (Some(wanted), Some(group)) if !group.assistant && !wanted.even_if_off => return Ok(TakenUp::Off),
            (Some(wanted), Some(group)) => page_before(group, Some(wanted.before), wanted.size),
            _ => Page::none(),
        };
        if let Some(known) = once.and_then(|once| state.known(once, now)) {
            known.answered = Some(record.answer.clone());
        }
        let (answer, record) = (record.answer.clone(), AnswerRecord { reasoning: String::new(), ..record.clone() });
        let running = Answer::Running { record, lease: now + LEASE };
        state.answers.put(answer, running, now + RUNNING, now);
        Ok(TakenUp::Begun(page))
    }

    async fn start(&self, record: &AnswerRecord) -> StoreResult<()> {
        match self.lock().answers.renew(&record.answer, None, Instant::now()) {
            Some(Answer::Owed { record: known, .. } | Answer::Running { record: known, .. }) => {
                known.start.clone_from(&record.start);
            }
            Some(Answer::Ended { .. }) | None => {}
        }
        Ok(())
    }

    async fn renew(&self, answer: &AnswerId, more: &str) -> StoreResult<Renewed> {
        Ok(self.grow(answer, |record| record.text.push_str(more)))
    }

    async fn think(&self, answer: &AnswerId, more: &str) -> StoreResult<Renewed> {
        Ok(self.grow(answer, |record| record.reasoning.push_str(more)))
    }

    async fn end(&self, answer: &AnswerId, group: &GroupName, body: ByteString) -> StoreResult<Ended> {
        let mut state = self.lock();
        let now = Instant::now();
        match state.answers.get(answer, now) {
            Some(Answer::Ended { seq }) => return Ok(Ended::Before { seq: *seq }),
            None => return Ok(Ended::Unknown),
            Some(Answer::Owed { .. } | Answer::Running { .. }) => {}
        }
        let (head, _) = state.append(group, |_| body, now);
        state.answers.put(answer.clone(), Answer::Ended { seq: head.seq }, now + ENDED, now);
        Ok(Ended::Now { epoch: head.epoch, seq: head.seq })
    }

    async fn running(&self, groups: &[GroupName]) -> StoreResult<Vec<AnswerRecord>> {
        let started = |(_, answer): (&AnswerId, &Answer)| match answer {
            Answer::Running { record, .. } if record.start.is_some() && groups.contains(&record.group) => {
                Some(record.clone())
            }
            _ => None,
        };
        let state = self.lock();
        Ok(state.answers.iter(Instant::now()).filter_map(started).collect())
    }

    async fn find(&self, answer: &AnswerId) -> StoreResult<Option<AnswerRecord>> {
        Ok(match self.lock().answers.get(answer, Instant::now()) {
            Some(Answer::Running { record, .. }) => Some(record.clone()),
            _ => None,
        })
    }

    async fn owe(&self, record: &AnswerRecord) -> StoreResult<bool> {
        let mut state = self.lock();
        let now = Instant::now();
        match state.answers.get(&record.answer, now) {
            Some(Answer::Ended { .. }) => return Ok(false),
            Some(Answer::Owed { .. } | Answer::Running { .. }) => return Ok(true),
            None => {}
        }
        let record = AnswerRecord { start: None, reasoning: String::new(), ..record.clone() };
        state.answers.put(record.answer.clone(), Answer::Owed { record, lease: now + LEASE }, now + RUNNING, now);
        Ok(true)
    }

    async fn orphan(&self) -> StoreResult<Option<AnswerRecord>> {
        let now = Instant::now();
        let lapsed = |(id, answer): (&AnswerId, &Answer)| match answer {
            Answer::Owed { lease, .. } | Answer::Running { lease, .. } if *lease <= now => Some(id.clone()),
            _ => None,
        };
        let mut state = self.lock();
        let Some(id) = state.answers.iter(now).find_map(lapsed) else { return Ok(None) };
        Ok(match state.answers.renew(&id, None, now) {
            Some(Answer::Owed { record, lease } | Answer::Running { record, lease }) => {
                *lease = now + CLAIM;
                Some(record.clone())
            }
            _ => None,
        })
    }
}
