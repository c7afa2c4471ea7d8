//! Ratings in Redis.

use async_trait::async_trait;
use redis::Script;
use redis::streams::StreamRangeReply;

use super::RedisOptions;
use super::desk::remark;
use super::keys::Keys;
use crate::ids::SessionId;
use crate::protocol::{DjangoEvent, unix_ms};
use crate::redis::{Database, wrong};
use crate::store::{
    FEEDBACK_KEPT, FEEDBACK_SECONDS, Feedback, FeedbackRecords, RECORD_SECONDS, REMARK_ONCE_SECONDS, Rated,
    SESSION_RATINGS, StoreResult,
};

/// All ratings, a stream; and those of each session, a hash by what is rated, which lives as the session's record does.
pub struct RedisFeedback {
    database: Database,
    keys: Keys,
    /// Seconds that a session's ratings live without use.
    life: u64,
    /// The life of the worker's queue, if the worker is told.
    for_worker: Option<u64>,
    add: Script,
}

impl RedisFeedback {
    pub(super) fn new(database: Database, keys: Keys, options: &RedisOptions) -> Self {
        let group_life = options.group_life_seconds();
        Self {
            database,
            keys,
            life: RECORD_SECONDS.max(group_life),
            for_worker: options.worker.contains(&DjangoEvent::Feedback).then_some(group_life),
            add: Script::new(include_str!("scripts/feedback_add.lua")),
        }
    }
}

/// The newest entries of a stream of JSON texts that are not older than so many seconds, with their names; those before the named one.
pub(super) async fn newest(
    database: &Database,
    key: &str,
    (before, seconds): (Option<&str>, u64),
    limit: usize,
) -> StoreResult<Vec<(String, String)>> {
    let oldest = unix_ms().saturating_sub(seconds.saturating_mul(1_000));
    let mut range = redis::cmd("XREVRANGE");
    range.arg(key).arg(before.map_or("+".to_owned(), |before| format!("({before}"))).arg(oldest);
    range.arg("COUNT").arg(limit.max(1));
    let call = async |mut connection| range.query_async::<StreamRangeReply>(&mut connection).await;
    let reply = database.call(call).await?;
    Ok(reply.ids.into_iter().filter_map(|entry| Some((entry.id.clone(), entry.get::<String>("f")?))).collect())
}

fn read(id: &str, json: &str) -> Option<Feedback> {
    let at_ms = id.split('-').next()?.parse().ok()?;
    serde_json::from_str::<Feedback>(json).ok().map(|feedback| Feedback { at_ms, ..feedback })
}

#[async_trait]
impl FeedbackRecords for RedisFeedback {
    async fn add(&self, feedback: &Feedback, id: Option<&str>) -> StoreResult<Rated> {
        let timeless = Feedback { at_ms: 0, ..feedback.clone() };
        let json = serde_json::to_string(&timeless).map_err(|error| wrong(&error.to_string()))?;
        let mut call = self.add.key(self.keys.feedback());
        call.key(self.keys.ratings(&feedback.session));
        if let Some(id) = id {
            call.key(self.keys.once(&remark(&feedback.session, id)));
        }
        call.arg(feedback.subject()).arg(json).arg(FEEDBACK_KEPT).arg(SESSION_RATINGS);
        call.arg(FEEDBACK_SECONDS).arg(self.life).arg(REMARK_ONCE_SECONDS);
        let queue = self.for_worker.map(|_| self.keys.worker_queue()).unwrap_or_default();
        call.arg(queue).arg(self.for_worker.unwrap_or_default()).arg(feedback.fingerprint());
        let at: String = self.database.script(&call).await?;
        match at.as_str() {
            "again" => Ok(Rated::Again),
            "conflict" => Ok(Rated::Conflict),
            at => match at.parse() {
                Ok(at_ms) => Ok(Rated::New(Feedback { at_ms, ..timeless })),
                Err(_) => Err(wrong(at)),
            },
        }
    }

    async fn of_session(&self, session: &SessionId) -> StoreResult<Vec<Feedback>> {
        let mut values = redis::cmd("HGETALL");
        values.arg(self.keys.ratings(session));
        let call = async |mut connection| values.query_async::<Vec<(String, String)>>(&mut connection).await;
        let kept = self.database.call(call).await?;
        let mut ratings: Vec<Feedback> =
            kept.iter().filter_map(|(_, kept)| kept.split_once(' ').and_then(|(id, json)| read(id, json))).collect();
        ratings.sort_by_key(|feedback| std::cmp::Reverse(feedback.at_ms));
        Ok(ratings)
    }

    async fn newest(&self, before: Option<&str>, limit: usize) -> StoreResult<Vec<(String, Feedback)>> {
        let entries = newest(&self.database, &self.keys.feedback(), (before, FEEDBACK_SECONDS), limit).await?;
        Ok(entries.into_iter().filter_map(|(id, json)| read(&id, &json).map(|feedback| (id, feedback))).collect())
    }
}
