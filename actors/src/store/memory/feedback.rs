//! Ratings of a single node.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::state::MemoryStore;
use crate::ids::SessionId;
use crate::protocol::unix_ms;
use crate::store::{FEEDBACK_KEPT, FEEDBACK_SECONDS, Feedback, FeedbackRecords, Rated, SESSION_RATINGS, StoreResult};

#[async_trait]
impl FeedbackRecords for MemoryStore {
    async fn add(&self, feedback: &Feedback, id: Option<&str>) -> StoreResult<Rated> {
        let feedback = Feedback { at_ms: unix_ms(), ..feedback.clone() };
        let number = {
            let (mut state, now) = (self.lock(), Instant::now());
            let fingerprint = feedback.fingerprint();
            if let Some(is_same) = state.known_remark(&feedback.session, id, &fingerprint) {
                return Ok(if is_same { Rated::Again } else { Rated::Conflict });
            }
            state.note_remark(&feedback.session, id, fingerprint);
            let number = state.feedback.last_key_value().map_or(1, |(last, _)| last + 1);
            state.feedback.insert(number, (now + Duration::from_secs(FEEDBACK_SECONDS), feedback.clone()));
            while state.feedback.len() > FEEDBACK_KEPT {
                state.feedback.pop_first();
            }
            number
        };
        let replaced = self.change(&feedback.session, |session| {
            let of_the_same = session.ratings.iter().position(|(_, it)| it.answer == feedback.answer);
            let replaced = of_the_same.map(|at| session.ratings.remove(at).0);
            session.ratings.push((number, feedback.clone()));
            if session.ratings.len() > SESSION_RATINGS {
                session.ratings.remove(0);
            }
            replaced
        });
        if let Some(replaced) = replaced {
            self.lock().feedback.remove(&replaced);
        }
        Ok(Rated::New(feedback))
    }

    async fn of_session(&self, session: &SessionId) -> StoreResult<Vec<Feedback>> {
        let state = self.lock();
        let known = state.sessions.get(session, Instant::now());
        let ratings = known.into_iter().flat_map(|known| known.ratings.iter().rev());
        Ok(ratings.map(|(_, feedback)| feedback.clone()).collect())
    }

    async fn newest(&self, before: Option<&str>, limit: usize) -> StoreResult<Vec<(String, Feedback)>> {
        let (state, now) = (self.lock(), Instant::now());
        let before = before.map_or(Some(u64::MAX), |before| before.parse().ok()).unwrap_or(0);
        let kept = state.feedback.range(..before).rev().filter(|(_, (until, _))| *until > now);
        Ok(kept.take(limit).map(|(number, (_, feedback))| (number.to_string(), feedback.clone())).collect())
    }
}
