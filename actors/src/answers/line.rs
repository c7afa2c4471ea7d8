//! The one line of the log that each answer ends with, whoever asked for it: how it ended, and whom to look for.

use tokio::time::Instant;

use crate::backend::BackendError;
use crate::ids::{AnswerId, GroupName, SessionId};
use crate::protocol::{CacheStatus, Usage};

/// Operators pick these lines by this target, whichever file they come from.
const TARGET: &str = "sophie::answers";

/// What is known of an answer at its end, beside how it ended. The text of nobody.
#[derive(Debug, Clone, Copy)]
pub struct AnswerLine<'a> {
    /// Which one. The gateway's have no name.
    pub answer: Option<&'a AnswerId>,
    /// The group that got it.
    pub group: Option<&'a GroupName>,
    /// The session that asked.
    pub session: Option<&'a SessionId>,
    /// Who asked: a user, or an application as `key:NAME`.
    pub user: &'a str,
    /// How it came about, if that was known.
    pub cache: Option<CacheStatus>,
    /// When it was asked for.
    pub asked_at: Instant,
}

impl AnswerLine<'_> {
    /// It came to its end, or was stopped.
    pub fn completed(&self, finish_reason: &str, usage: Usage) {
        log::info!(
            target: TARGET,
            event = "answer_completed",
            answer = self.answer.map(AnswerId::as_str),
            group = self.group.map(GroupName::as_str),
            session = self.session.map(SessionId::as_str),
            user = self.user,
            finish_reason,
            cache = self.cache.map(CacheStatus::as_str),
            tokens = usage.total_tokens,
            latency_ms = self.asked_at.elapsed().as_millis();
            "an answer is through"
        );
    }

    /// It failed: who is at fault, and with what words.
    pub fn failed(&self, error: &BackendError) {
        log::warn!(
            target: TARGET,
            event = "answer_failed",
            answer = self.answer.map(AnswerId::as_str),
            group = self.group.map(GroupName::as_str),
            session = self.session.map(SessionId::as_str),
            user = self.user,
            cache = self.cache.map(CacheStatus::as_str),
            latency_ms = self.asked_at.elapsed().as_millis(),
            code = error.code.as_str(),
            backend = error.asked.as_ref().map(|asked| asked.backend.as_str()),
            url = error.asked.as_ref().map(|asked| asked.url.as_str()),
            detail = error.detail;
            "an answer failed"
        );
    }
}
