use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytestring::ByteString;
use moka::sync::Cache;
use redis::Script;

use super::connection::Database;
use super::logs::{LogScripts, Reply, wrong};
use crate::ids::{AnswerId, GroupName, MessageId, NodeId};
use crate::store::{
    ANSWER_LEASE_SECONDS, AnswerRecord, AnswerRecords, ENDED_SECONDS, Ended, Once, RECORD_SECONDS, StoreResult,
};

/// After Redis came back, its writers need a moment to renew their leases before anybody may call them dead. Together
/// with the lease it stays below the protocol's 15 s.
const GRACE: Duration = Duration::from_secs(5);
/// Orphans that are given back at once; the rest comes the next time.
const ORPHANS: usize = 100;

/// Leases of answers: a hash and a text for each, and a sorted set of all by the end of their leases.
pub struct RedisAnswers {
    database: Database,
    scripts: Arc<LogScripts>,
    begin: Script,
    renew: Script,
    orphans: Script,
    /// What this node is writing, as far as it is saved. A renewal says by it where its text belongs, so that it may be
    /// repeated, and rewrites the whole when Redis came back empty. What is no longer renewed leaves by itself.
    own: Cache<AnswerId, Arc<AnswerRecord>>,
}

impl RedisAnswers {
    pub(super) fn new(database: Database, scripts: Arc<LogScripts>) -> Self {
        Self {
            database,
            scripts,
            begin: Script::new(include_str!("scripts/begin.lua")),
            renew: Script::new(include_str!("scripts/renew.lua")),
            orphans: Script::new(include_str!("scripts/orphans.lua")),
            own: Cache::builder().time_to_idle(Duration::from_secs(ENDED_SECONDS)).build(),
        }
    }

    async fn write(&self, record: &AnswerRecord, once: Option<&Once>) -> StoreResult<bool> {
        let keys = &self.scripts.keys;
        let mut call = self.begin.prepare_invoke();
        call.key(keys.answer(&record.answer)).key(keys.answer_text(&record.answer)).key(keys.answers());
        if let Some(once) = once {
            call.key(keys.once(once));
        }
        call.arg(record.answer.as_str())
            .arg(ANSWER_LEASE_SECONDS)
            .arg(RECORD_SECONDS)
            .arg(record.group.as_str())
            .arg(record.message.as_str())
            .arg(record.node.as_str())
            .arg(&record.text);
        self.database.script(&call).await
    }
}

#[async_trait]
impl AnswerRecords for RedisAnswers {
    async fn begin(&self, record: &AnswerRecord, once: Option<&Once>) -> StoreResult<bool> {
        let begun = self.write(record, once).await;
        // Also what could not be written now: the first renewal that gets through writes it.
        if !matches!(begun, Ok(false)) {
            self.own.insert(record.answer.clone(), Arc::new(record.clone()));
        }
        begun
    }

    async fn renew(&self, answer: &AnswerId, more: &str) -> StoreResult<bool> {
        let keys = &self.scripts.keys;
        let own = self.own.get(answer);
        let saved = own.as_ref().map_or(0, |own| own.text.len());
        let mut call = self.renew.prepare_invoke();
        call.key(keys.answer(answer)).key(keys.answer_text(answer)).key(keys.answers());
        call.arg(answer.as_str()).arg(ANSWER_LEASE_SECONDS).arg(RECORD_SECONDS).arg(saved);
        // Without knowing what was saved before, only the lease can be renewed.
        call.arg(if own.is_some() { more } else { "" });
        let state: i8 = self.database.script(&call).await?;
        let Some(mut own) = own else { return Ok(state != 0) };
        if state == 0 {
            self.own.invalidate(answer);
            return Ok(false);
        }
        Arc::make_mut(&mut own).text.push_str(more);
        if state < 0 && !self.write(&own, None).await? {
            self.own.invalidate(answer);
            return Ok(false);
        }
        self.own.insert(answer.clone(), own);
        Ok(true)
    }

    async fn end(&self, answer: &AnswerId, group: &GroupName, body: ByteString) -> StoreResult<Ended> {
        let scripts = &self.scripts;
        let mut call = scripts.call(&scripts.end);
        call.key(scripts.keys.answer(answer)).key(scripts.keys.answer_text(answer)).key(scripts.keys.answers());
        call.arg(group.as_str()).arg(&*body).arg(&scripts.channel).arg(answer.as_str()).arg(ENDED_SECONDS);
        let reply = self.database.script_within(self.database.budgets().append, &call).await?;
        self.own.invalidate(answer);
        let mut reply = Reply::read(reply)?;
        match reply.word.as_str() {
            "now" => Ok(Ended::Now { epoch: reply.take_epoch()?, seq: reply.take()? }),
            "before" => Ok(Ended::Before { seq: reply.take()? }),
            other => Err(wrong(other)),
        }
    }

    async fn orphans(&self) -> StoreResult<Vec<AnswerRecord>> {
        if self.database.available_for().is_some_and(|time| time < GRACE) {
            return Ok(Vec::new());
        }
        let mut call = self.orphans.key(self.scripts.keys.answers());
        call.arg(self.scripts.keys.answer_prefix()).arg(ORPHANS);
        let found: Vec<(String, String, String, String, String)> = self.database.script(&call).await?;
        let record = |(answer, group, message, node, text): (String, String, String, String, String)| {
            Some(AnswerRecord {
                answer: AnswerId::from(answer.as_str()),
                group: GroupName::parse(&group).ok()?,
                message: MessageId::from(message.as_str()),
                node: NodeId::from(node.as_str()),
                text,
            })
        };
        Ok(found.into_iter().filter_map(record).collect())
    }
}
