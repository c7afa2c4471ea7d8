//! Leases of answers in Redis.

mod own;
mod rows;
mod saving;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytestring::ByteString;
use moka::sync::Cache;
use redis::{Script, ScriptInvocation};

use self::own::Own;
use self::rows::{AnswerRow, PIECE};
use super::RedisOptions;
use super::feed;
use super::log_scripts::LogScripts;
use super::page::{page, start_before};
use crate::ids::{AnswerId, Epoch, GroupName};
use crate::protocol::{DjangoEvent, Strand};
use crate::redis::Database;
use crate::redis::{ScriptReply, wrong};
use crate::store::{
    ANSWER_LEASE_SECONDS, AnswerRecord, AnswerRecords, CLAIM_SECONDS, ENDED_SECONDS, Ended, Once, RECORD_SECONDS,
    Renewed, StoreResult, TakenUp, Told, Wanted,
};

/// After Redis took writes again, its writers need a moment to renew their leases before anybody may call them dead. Together
/// with the lease it stays below the protocol's 15 s.
const GRACE: Duration = Duration::from_secs(5);
/// Groups in one script run, answers of each that are read, and answers after which no other group is begun: a few
/// milliseconds of the server's time.
const GROUPS: usize = 500;
const OF_A_GROUP: usize = 500;
const ENOUGH: usize = 500;
/// Leases of answers that are no more, passed over in one run.
const GONE: usize = 1_000;

/// Leases of answers: a hash and a text for each, and a sorted set of all by the end of their leases.
pub struct RedisAnswers {
    database: Database,
    scripts: Arc<LogScripts>,
    /// What the worker is told of.
    worker: Vec<DjangoEvent>,
    start: Script,
    renew: Script,
    running: Script,
    find: Script,
    owe: Script,
    orphan: Script,
    /// What this node is writing, as far as it is saved. A renewal says by it where its text belongs, so that it may be
    /// repeated. What is no longer renewed leaves by itself.
    own: Cache<AnswerId, Arc<Own>>,
}

impl RedisAnswers {
    pub(super) fn new(database: Database, scripts: Arc<LogScripts>, options: &RedisOptions) -> Self {
        Self {
            database,
            scripts,
            worker: options.worker.clone(),
            start: Script::new(include_str!("../scripts/start.lua")),
            renew: Script::new(include_str!("../scripts/renew.lua")),
            running: Script::new(include_str!("../scripts/running.lua")),
            find: Script::new(include_str!("../scripts/find.lua")),
            owe: Script::new(include_str!("../scripts/owe.lua")),
            orphan: Script::new(include_str!("../scripts/orphan.lua")),
            own: Cache::builder().time_to_idle(Duration::from_secs(ENDED_SECONDS)).build(),
        }
    }

    /// Tells that an answer is being written. Whether it is, as far as the store knows.
    async fn write_start(&self, record: &AnswerRecord) -> StoreResult<bool> {
        let AnswerRecord { answer, group, message, start: Some(start), .. } = record else { return Ok(false) };
        let keys = &self.scripts.keys;
        let told = Told::Started {
            group: group.clone(),
            answer: answer.clone(),
            message: message.clone(),
            start: start.clone(),
        };
        let mut call = self.start.key(keys.answer(answer));
        call.key(keys.answering(group)).arg(answer.as_str()).arg(RECORD_SECONDS).arg(&start.model);
        call.arg(start.cache.as_str()).arg(&self.scripts.channel);
        self.add_told(&mut call, Some(&told));
        let state: i8 = self.database.script(&call).await?;
        Ok(state > 0)
    }

    /// What the other nodes are told, the worker's queue, and what goes there.
    fn add_told(&self, call: &mut ScriptInvocation<'_>, told: Option<&Told>) {
        let Some(told) = told else {
            call.arg("").arg("").arg("");
            return;
        };
        let kind = match told {
            Told::Started { .. } => Some(DjangoEvent::AnswerStart),
            Told::Grew { .. } => Some(DjangoEvent::AnswerDelta),
            _ => None,
        };
        call.arg(feed::encode(&self.scripts.node_key, told));
        match kind.is_some_and(|kind| self.worker.contains(&kind)) {
            true => call.arg(self.scripts.keys.worker_queue()).arg(feed::json(told)),
            false => call.arg("").arg(""),
        };
    }
}

/// What begin.lua and owe.lua are told of an answer.
fn describe(call: &mut ScriptInvocation<'_>, record: &AnswerRecord) {
    call.arg(record.answer.as_str())
        .arg(ANSWER_LEASE_SECONDS)
        .arg(RECORD_SECONDS)
        .arg(record.group.as_str())
        .arg(record.message.as_str())
        .arg(record.node.as_str())
        .arg(&record.text);
}

#[async_trait]
impl AnswerRecords for RedisAnswers {
    async fn take_up(
        &self,
        record: &AnswerRecord,
        once: Option<&Once>,
        wanted: Option<&Wanted>,
    ) -> StoreResult<TakenUp> {
        let keys = &self.scripts.keys;
        let call = || {
            let mut call = self.scripts.call(&self.scripts.begin);
            call.key(keys.answer(&record.answer)).key(keys.answer_text(&record.answer)).key(keys.answers());
            if let Some(once) = once {
                call.key(keys.once(once));
            }
            describe(&mut call, record);
            if let Some(Wanted { before, size, even_if_off }) = wanted {
                call.arg(start_before(*before)).arg(size.events).arg(size.bytes).arg(i32::from(*even_if_off));
            }
            call
        };
        let (reply, _) = self.scripts.insist(&self.database, self.database.budgets().other, call).await?;
        let mut reply = ScriptReply::read(reply)?;
        Ok(match reply.word.as_str() {
            "begun" => {
                self.own.insert(record.answer.clone(), Arc::new(Own::new(record)));
                let mut page = page(reply.take()?)?;
                page.events.reverse();
                TakenUp::Begun(page)
            }
            "before" => TakenUp::Before,
            "off" => TakenUp::Off,
            other => return Err(wrong(other)),
        })
    }

    async fn start(&self, record: &AnswerRecord) -> StoreResult<()> {
        let own = self.own.get(&record.answer).map(|mut own| {
            Arc::make_mut(&mut own).record.start.clone_from(&record.start);
            // Also what cannot be told now: the first renewal that gets through tells it.
            self.own.insert(record.answer.clone(), own.clone());
            own
        });
        let started = self.write_start(record).await?;
        if let Some(mut own) = own {
            Arc::make_mut(&mut own).started = started;
            self.own.insert(record.answer.clone(), own);
        }
        Ok(())
    }

    async fn renew(&self, answer: &AnswerId, more: &str) -> StoreResult<Renewed> {
        self.save(answer, Strand::Text, more).await
    }

    async fn think(&self, answer: &AnswerId, more: &str) -> StoreResult<Renewed> {
        self.save(answer, Strand::Reasoning, more).await
    }

    async fn running(&self, groups: &[GroupName]) -> StoreResult<Vec<AnswerRecord>> {
        let keys = &self.scripts.keys;
        let (mut found, mut left) = (Vec::new(), groups);
        while !left.is_empty() {
            let mut call = self.running.prepare_invoke();
            left.iter().take(GROUPS).for_each(|group| _ = call.key(keys.answering(group)));
            call.arg(keys.answer_prefix()).arg(OF_A_GROUP).arg(ENOUGH).arg(PIECE);
            let (looked_at, rows): (usize, Vec<AnswerRow>) = self.database.script(&call).await?;
            left = left.get(looked_at.max(1)..).unwrap_or_default();
            for row in rows {
                found.extend(self.whole(row).await?);
            }
        }
        Ok(found)
    }

    async fn find(&self, answer: &AnswerId) -> StoreResult<Option<AnswerRecord>> {
        match self.piece(answer, 0).await? {
            Some(row) => self.whole(row).await,
            None => Ok(None),
        }
    }

    async fn owe(&self, record: &AnswerRecord) -> StoreResult<bool> {
        let keys = &self.scripts.keys;
        let mut call = self.owe.key(keys.answer(&record.answer));
        call.key(keys.answer_text(&record.answer)).key(keys.answers());
        describe(&mut call, record);
        self.database.script(&call).await
    }

    async fn end(&self, answer: &AnswerId, group: &GroupName, body: ByteString) -> StoreResult<Ended> {
        let scripts = &self.scripts;
        let call = || {
            let mut call = scripts.call(&scripts.end);
            call.key(scripts.keys.answer(answer)).key(scripts.keys.answer_text(answer)).key(scripts.keys.answers());
            call.key(scripts.keys.answering(group));
            call.arg(group.as_str()).arg(&*body).arg(&scripts.channel).arg(scripts.node_key.as_str());
            call.arg(answer.as_str()).arg(ENDED_SECONDS);
            call
        };
        let (reply, _) = scripts.insist(&self.database, self.database.budgets().append, call).await?;
        self.own.invalidate(answer);
        let mut reply = ScriptReply::read(reply)?;
        match reply.word.as_str() {
            "now" => Ok(Ended::Now { epoch: Epoch::from(reply.take::<String>()?.as_str()), seq: reply.take()? }),
            "before" => Ok(Ended::Before { seq: reply.take()? }),
            "unknown" => Ok(Ended::Unknown),
            other => Err(wrong(other)),
        }
    }

    async fn orphan(&self) -> StoreResult<Option<AnswerRecord>> {
        if self.database.writable_for().is_none_or(|time| time < GRACE) {
            return Ok(None);
        }
        let mut call = self.orphan.key(self.scripts.keys.answers());
        call.arg(self.scripts.keys.answer_prefix()).arg(CLAIM_SECONDS).arg(GONE).arg(PIECE);
        match self.database.script::<Option<AnswerRow>>(&call).await? {
            Some(row) => self.whole(row).await,
            None => Ok(None),
        }
    }
}
