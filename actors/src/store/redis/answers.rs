use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytestring::ByteString;
use moka::sync::Cache;
use redis::{Script, ScriptInvocation};

use super::RedisOptions;
use super::connection::Database;
use super::feed;
use super::logs::{LogScripts, Reply, wrong};
use crate::django::Kind;
use crate::ids::{AnswerId, GroupName, MessageId, NodeId};
use crate::protocol::CacheStatus;
use crate::store::{
    ANSWER_LEASE_SECONDS, AnswerRecord, AnswerRecords, AnswerStart, ENDED_SECONDS, Ended, Once, RECORD_SECONDS,
    StoreResult, Told,
};

/// After Redis came back, its writers need a moment to renew their leases before anybody may call them dead. Together
/// with the lease it stays below the protocol's 15 s.
const GRACE: Duration = Duration::from_secs(5);
/// Groups in one script run.
const GROUPS: usize = 500;
/// Orphans that are given back at once; the rest comes the next time.
const ORPHANS: usize = 100;

/// Leases of answers: a hash and a text for each, and a sorted set of all by the end of their leases.
pub struct RedisAnswers {
    database: Database,
    scripts: Arc<LogScripts>,
    begin: Script,
    /// What the worker is told of.
    worker: Vec<Kind>,
    start: Script,
    renew: Script,
    running: Script,
    find: Script,
    orphans: Script,
    /// What this node is writing, as far as it is saved. A renewal says by it where its text belongs, so that it may be
    /// repeated, and rewrites the whole when Redis came back empty. What is no longer renewed leaves by itself.
    own: Cache<AnswerId, Arc<Own>>,
}

#[derive(Clone)]
struct Own {
    record: AnswerRecord,
    /// Unicode scalar values of its text.
    chars: usize,
    /// The store, and so the other nodes, know of its start.
    started: bool,
}

/// What the scripts tell of an answer: id, group, message, node, text, model, how it came about.
type Row = (String, String, String, String, String, String, String);

impl RedisAnswers {
    pub(super) fn new(database: Database, scripts: Arc<LogScripts>, options: &RedisOptions) -> Self {
        Self {
            database,
            scripts,
            begin: Script::new(include_str!("scripts/begin.lua")),
            worker: options.worker.clone(),
            start: Script::new(include_str!("scripts/start.lua")),
            renew: Script::new(include_str!("scripts/renew.lua")),
            running: Script::new(include_str!("scripts/running.lua")),
            find: Script::new(include_str!("scripts/find.lua")),
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

    /// Tells that an answer of this node is being written. 1, 0 when it has ended, -1 when it is not known.
    async fn write_start(&self, record: &AnswerRecord) -> StoreResult<i8> {
        let AnswerRecord { answer, group, message, start: Some(start), .. } = record else { return Ok(1) };
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
        self.database.script(&call).await
    }

    /// What the other nodes are told, the outbox, and what goes there.
    fn add_told(&self, call: &mut ScriptInvocation<'_>, told: Option<&Told>) {
        let kind = match told {
            Some(Told::Started { .. }) => Kind::AnswerStart,
            _ => Kind::AnswerDelta,
        };
        let Some(told) = told else {
            call.arg("").arg("").arg("");
            return;
        };
        call.arg(feed::encode(&self.scripts.node_key, told));
        match self.worker.contains(&kind) {
            true => call.arg(self.scripts.keys.outbox()).arg(feed::json(told)),
            false => call.arg("").arg(""),
        };
    }

    /// Makes the store know an answer of this node, and its start. `false`: it has ended.
    async fn restore(&self, own: &mut Own) -> StoreResult<bool> {
        if !self.write(&own.record, None).await? {
            return Ok(false);
        }
        let state = self.write_start(&own.record).await?;
        own.started = state > 0;
        Ok(state != 0)
    }
}

fn record((answer, group, message, node, text, model, cache): Row) -> Option<AnswerRecord> {
    let start = CacheStatus::parse(&cache).map(|cache| AnswerStart { model, cache });
    Some(AnswerRecord {
        answer: AnswerId::from(answer.as_str()),
        group: GroupName::parse(&group).ok()?,
        message: MessageId::from(message.as_str()),
        node: NodeId::from(node.as_str()),
        text,
        start,
    })
}

#[async_trait]
impl AnswerRecords for RedisAnswers {
    async fn begin(&self, record: &AnswerRecord, once: Option<&Once>) -> StoreResult<bool> {
        let begun = self.write(record, once).await;
        // Also what could not be written now: the first renewal that gets through writes it.
        if !matches!(begun, Ok(false)) {
            let own = Own { record: record.clone(), chars: record.text.chars().count(), started: false };
            self.own.insert(record.answer.clone(), Arc::new(own));
        }
        begun
    }

    async fn start(&self, answer: &AnswerId, start: &AnswerStart) -> StoreResult<()> {
        let Some(mut own) = self.own.get(answer) else { return Ok(()) };
        let known = Arc::make_mut(&mut own);
        known.record.start = Some(start.clone());
        // Also what cannot be told now: the first renewal that gets through tells it.
        self.own.insert(answer.clone(), Arc::new(known.clone()));
        match self.write_start(&known.record).await? {
            state if state < 0 => _ = self.restore(known).await?,
            state => known.started = state > 0,
        }
        self.own.insert(answer.clone(), own);
        Ok(())
    }

    async fn renew(&self, answer: &AnswerId, more: &str) -> StoreResult<bool> {
        let keys = &self.scripts.keys;
        let own = self.own.get(answer);
        let saved = own.as_ref().map_or(0, |own| own.record.text.len());
        let mut call = self.renew.prepare_invoke();
        call.key(keys.answer(answer)).key(keys.answer_text(answer)).key(keys.answers());
        call.arg(answer.as_str()).arg(ANSWER_LEASE_SECONDS).arg(RECORD_SECONDS).arg(saved);
        // Without knowing what was saved before, only the lease can be renewed.
        call.arg(if own.is_some() { more } else { "" });
        let told = own.as_ref().filter(|own| own.record.start.is_some() && !more.is_empty()).map(|own| {
            let (group, answer) = (own.record.group.clone(), answer.clone());
            Told::Grew { group, answer, offset: own.chars, text: more.into() }
        });
        call.arg(&self.scripts.channel);
        self.add_told(&mut call, told.as_ref());
        let state: i8 = self.database.script(&call).await?;
        let Some(mut own) = own else { return Ok(state != 0) };
        if state == 0 {
            self.own.invalidate(answer);
            return Ok(false);
        }
        let known = Arc::make_mut(&mut own);
        known.record.text.push_str(more);
        known.chars += more.chars().count();
        if (state < 0 || (known.record.start.is_some() && !known.started)) && !self.restore(known).await? {
            self.own.invalidate(answer);
            return Ok(false);
        }
        self.own.insert(answer.clone(), own);
        Ok(true)
    }

    async fn running(&self, groups: &[GroupName]) -> StoreResult<Vec<AnswerRecord>> {
        let keys = &self.scripts.keys;
        let mut found = Vec::new();
        for groups in groups.chunks(GROUPS) {
            let mut call = self.running.prepare_invoke();
            groups.iter().for_each(|group| _ = call.key(keys.answering(group)));
            call.arg(keys.answer_prefix());
            let rows: Vec<Row> = self.database.script(&call).await?;
            found.extend(rows.into_iter().filter_map(record));
        }
        Ok(found)
    }

    async fn find(&self, answer: &AnswerId) -> StoreResult<Option<AnswerRecord>> {
        let keys = &self.scripts.keys;
        let mut call = self.find.key(keys.answer(answer));
        call.key(keys.answer_text(answer)).arg(answer.as_str());
        let rows: Vec<Row> = self.database.script(&call).await?;
        Ok(rows.into_iter().find_map(record))
    }

    async fn end(&self, answer: &AnswerId, group: &GroupName, body: ByteString) -> StoreResult<Ended> {
        let scripts = &self.scripts;
        let mut call = scripts.call(&scripts.end);
        call.key(scripts.keys.answer(answer)).key(scripts.keys.answer_text(answer)).key(scripts.keys.answers());
        call.key(scripts.keys.answering(group));
        call.arg(group.as_str())
            .arg(&*body)
            .arg(&scripts.channel)
            .arg(scripts.node_key.as_str())
            .arg(answer.as_str())
            .arg(ENDED_SECONDS);
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
        let found: Vec<Row> = self.database.script(&call).await?;
        Ok(found.into_iter().filter_map(record).collect())
    }
}
