use std::time::Duration;

use async_trait::async_trait;
use bytestring::ByteString;
use tokio::time::Instant;

use super::state::{Answer, MemoryStore};
use crate::ids::{AnswerId, GroupName};
use crate::store::{
    ANSWER_LEASE_SECONDS, AnswerRecord, AnswerRecords, AnswerStart, ENDED_SECONDS, Ended, Once, RECORD_SECONDS,
    StoreResult,
};

const LEASE: Duration = Duration::from_secs(ANSWER_LEASE_SECONDS);
const RUNNING: Duration = Duration::from_secs(RECORD_SECONDS);
const ENDED: Duration = Duration::from_secs(ENDED_SECONDS);

#[async_trait]
impl AnswerRecords for MemoryStore {
    async fn begin(&self, record: &AnswerRecord, once: Option<&Once>) -> StoreResult<bool> {
        let mut state = self.lock();
        let now = Instant::now();
        if let Some(Answer::Ended { .. }) = state.answers.get(&record.answer, now) {
            return Ok(false);
        }
        if let Some(known) = once.and_then(|once| state.known(once, now)) {
            if known.answered.as_ref().is_some_and(|answer| *answer != record.answer) {
                return Ok(false);
            }
            known.answered = Some(record.answer.clone());
        }
        let running = Answer::Running { record: record.clone(), lease: now + LEASE };
        state.answers.put(record.answer.clone(), running, now + RUNNING, now);
        Ok(true)
    }

    async fn start(&self, answer: &AnswerId, start: &AnswerStart) -> StoreResult<()> {
        if let Some(Answer::Running { record, .. }) = self.lock().answers.renew(answer, None, Instant::now()) {
            record.start = Some(start.clone());
        }
        Ok(())
    }

    async fn renew(&self, answer: &AnswerId, more: &str) -> StoreResult<bool> {
        let now = Instant::now();
        match self.lock().answers.renew(answer, None, now) {
            Some(Answer::Running { record, lease }) => {
                record.text.push_str(more);
                *lease = now + LEASE;
                Ok(true)
            }
            Some(Answer::Ended { .. }) => Ok(false),
            None => Ok(true),
        }
    }

    async fn end(&self, answer: &AnswerId, group: &GroupName, body: ByteString) -> StoreResult<Ended> {
        let mut state = self.lock();
        let now = Instant::now();
        if let Some(Answer::Ended { seq }) = state.answers.get(answer, now) {
            return Ok(Ended::Before { seq: *seq });
        }
        let head = state.append(group, body, now);
        state.answers.put(answer.clone(), Answer::Ended { seq: head.seq }, now + ENDED, now);
        Ok(Ended::Now { epoch: head.epoch, seq: head.seq })
    }

    async fn running(&self, groups: &[GroupName]) -> StoreResult<Vec<AnswerRecord>> {
        let started = |(_, answer, _): (&AnswerId, &Answer, Instant)| match answer {
            Answer::Running { record, .. } if record.start.is_some() && groups.contains(&record.group) => {
                Some(record.clone())
            }
            _ => None,
        };
        let state = self.lock();
        Ok(state.answers.from::<str>(std::ops::Bound::Unbounded, Instant::now()).filter_map(started).collect())
    }

    async fn find(&self, answer: &AnswerId) -> StoreResult<Option<AnswerRecord>> {
        Ok(match self.lock().answers.get(answer, Instant::now()) {
            Some(Answer::Running { record, .. }) => Some(record.clone()),
            _ => None,
        })
    }

    async fn orphans(&self) -> StoreResult<Vec<AnswerRecord>> {
        let now = Instant::now();
        let lapsed = |(_, answer, _): (&AnswerId, &Answer, Instant)| match answer {
            Answer::Running { record, lease } if *lease <= now => Some(record.clone()),
            _ => None,
        };
        let state = self.lock();
        Ok(state.answers.from::<str>(std::ops::Bound::Unbounded, now).filter_map(lapsed).collect())
    }
}
