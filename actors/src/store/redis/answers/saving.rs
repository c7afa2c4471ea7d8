//! More of an answer's texts, saved with its lease.

use std::sync::Arc;

use super::RedisAnswers;
use crate::ids::AnswerId;
use crate::protocol::Strand;
use crate::store::{ANSWER_LEASE_SECONDS, RECORD_SECONDS, Renewed, StoreResult, Told};

impl RedisAnswers {
    /// Renews the lease, saves more of a text and tells the other nodes, in one step.
    pub(super) async fn save(&self, answer: &AnswerId, strand: Strand, more: &str) -> StoreResult<Renewed> {
        // What was never begun here is not known there.
        let Some(mut own) = self.own.get(answer) else { return Ok(Renewed::Unknown) };
        let keys = &self.scripts.keys;
        let (key, (saved, offset)) = match strand {
            Strand::Text => (keys.answer_text(answer), (own.saved, own.chars)),
            Strand::Reasoning => (keys.answer_reasoning(answer), own.thought),
        };
        let mut call = self.renew.prepare_invoke();
        call.key(keys.answer(answer)).key(key).key(keys.answers());
        call.arg(answer.as_str()).arg(ANSWER_LEASE_SECONDS).arg(RECORD_SECONDS).arg(saved).arg(more);
        let told = (own.record.start.is_some() && !more.is_empty()).then(|| {
            let (group, answer, text) = (own.record.group.clone(), answer.clone(), more.to_owned());
            match strand {
                Strand::Text => Told::Grew { group, answer, offset, text },
                Strand::Reasoning => Told::Thought { group, answer, offset, text },
            }
        });
        call.arg(&self.scripts.channel);
        self.add_told(&mut call, told.as_ref());
        let state: i8 = self.database.script_again(&call).await?;
        if state <= 0 {
            self.own.invalidate(answer);
            return Ok(if state == 0 { Renewed::Ended } else { Renewed::Unknown });
        }
        let known = Arc::make_mut(&mut own);
        let (bytes, chars) = match strand {
            Strand::Text => (&mut known.saved, &mut known.chars),
            Strand::Reasoning => (&mut known.thought.0, &mut known.thought.1),
        };
        *bytes += more.len();
        *chars += more.chars().count();
        if known.record.start.is_some() && !known.started {
            known.started = self.write_start(&known.record).await.unwrap_or(false);
        }
        self.own.insert(answer.clone(), own);
        Ok(Renewed::Held)
    }
}
