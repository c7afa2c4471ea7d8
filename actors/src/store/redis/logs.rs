//! The groups' logs in Redis, and how scripts about them are called.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::{FromRedisValue, Script, ScriptInvocation};
use tokio::time::Instant;

use super::RedisOptions;
use super::keys::Keys;
use super::life::Life;
use super::page::{LAST_SEQ, page, start_before};
use crate::ids::{Epoch, GroupName, MessageId, NodeId, NodeKey};
use crate::protocol::LogHead;
use crate::redis::{Database, Link};
use crate::redis::{Replicas, ScriptReply, wrong};
use crate::store::{
    ANSWER_LEASE_SECONDS, Append, Appended, LogState, Logs, Once, Page, PageSize, RECORD_SECONDS, StoreResult,
};

/// Groups in one script run: a few milliseconds of the server's time.
const BATCH: usize = 500;

/// A script behind `life.lua`. Its reply comes with the store's life and the number of appends: who has seen a log knows what
/// the store must have.
macro_rules! life_script {
    ($before:expr, $script:expr) => {
        Script::new(concat!(
            include_str!("scripts/life.lua"),
            $before,
            "local function reply()\n",
            $script,
            "\nend\nlocal replied = reply()\nif replied == nil then replied = false end\nreturn {life, count, replied}"
        ))
    };
}

macro_rules! log_script {
    ($for_worker:literal, $name:literal) => {
        life_script!(
            concat!("local for_worker = ", $for_worker, "\n", include_str!("scripts/log.lua")),
            include_str!(concat!("scripts/", $name))
        )
    };
}

/// A script that reads a log.
macro_rules! page_script {
    ($name:literal) => {
        life_script!(
            concat!("local for_worker = false\n", include_str!("scripts/log.lua"), include_str!("scripts/page.lua")),
            include_str!(concat!("scripts/", $name))
        )
    };
}

/// A script that appends: for the worker too, if there is one.
macro_rules! append_script {
    ($options:expr, $name:literal) => {
        if $options.worker.is_empty() { log_script!("false", $name) } else { log_script!("true", $name) }
    };
}

/// The scripts that work on logs, all with the same beginning, and what that beginning wants to know.
pub(super) struct LogScripts {
    pub(super) keys: Keys,
    pub(super) channel: String,
    pub(super) node_key: NodeKey,
    log_events: usize,
    log_ms: u64,
    group_life: u64,
    append: Script,
    recall: Script,
    open: Script,
    confirm: Script,
    read: Script,
    claim: Script,
    doubt: Script,
    life: Arc<Life>,
    pub(super) describe: Script,
    pub(super) assistant: Script,
    pub(super) begin: Script,
    pub(super) end: Script,
}

impl LogScripts {
    pub(super) fn new(options: &RedisOptions, keys: Keys, channel: String, life: Arc<Life>) -> Self {
        Self {
            keys,
            channel,
            node_key: options.node_key.clone(),
            log_events: options.log_events.max(1),
            log_ms: options.log_seconds.max(1).saturating_mul(1000),
            group_life: options.group_life_seconds(),
            append: append_script!(options, "append.lua"),
            recall: log_script!("false", "recall.lua"),
            open: log_script!("false", "open.lua"),
            confirm: log_script!("false", "confirm.lua"),
            read: page_script!("read.lua"),
            claim: life_script!("", include_str!("scripts/claim.lua")),
            doubt: life_script!("", include_str!("scripts/doubt.lua")),
            life,
            describe: log_script!("false", "describe.lua"),
            assistant: log_script!("false", "assistant.lua"),
            begin: page_script!("begin.lua"),
            end: append_script!(options, "end.lua"),
        }
    }

    /// A call with the arguments that all have.
    pub(super) fn call<'a>(&self, script: &'a Script) -> ScriptInvocation<'a> {
        let mut call = script.prepare_invoke();
        call.arg(self.keys.prefix()).arg(self.log_events).arg(self.log_ms).arg(self.group_life);
        // A candidate: it is used where a log has to be made.
        call.arg(Epoch::random().as_str());
        call
    }

    /// Runs a call, which says at its end what this node takes the store for.
    pub(super) async fn run<T: FromRedisValue + Send>(
        &self,
        database: &Database,
        budget: Duration,
        call: ScriptInvocation<'_>,
    ) -> StoreResult<T> {
        self.run_known(database, budget, call).await.map(|(reply, _)| reply)
    }

    /// As [`Self::run`], for a call that may be made twice: where its connection breaks, it is made again over the next one.
    pub(super) async fn insist<'a, T: FromRedisValue + Send>(
        &'a self,
        database: &Database,
        budget: Duration,
        call: impl Fn() -> ScriptInvocation<'a> + Send + Sync,
    ) -> StoreResult<(T, Arc<str>)> {
        database.insist(budget, |left| self.run_known(database, left, call())).await
    }

    /// As [`Self::run`]; returns the run id of the server too.
    async fn run_known<T: FromRedisValue + Send>(
        &self,
        database: &Database,
        budget: Duration,
        mut call: ScriptInvocation<'_>,
    ) -> StoreResult<(T, Arc<str>)> {
        let run = async |link: Link| {
            let (life, appends) = self.life.present();
            call.arg(&*link.run).arg(life).arg(appends);
            Ok((call.invoke_async(&mut link.connection.clone()).await?, link.run))
        };
        let ((life, appends, reply), run): ((String, u64, T), _) = database.call_within(budget, run).await?;
        self.life.told(&life, appends);
        Ok((reply, run))
    }

    /// Tells the store what this node knows of its lives, and returns the present one.
    pub(super) async fn claim(&self, database: &Database) -> StoreResult<String> {
        let mut call = self.call(&self.claim);
        let heard = self.life.heard();
        heard.iter().for_each(|(life, appends)| _ = call.arg(life).arg(*appends));
        let () = self.run(database, database.budgets().other, call).await?;
        self.life.judged(&heard);
        Ok(self.life.present().0)
    }

    /// A node has died that was last heard of then: where it did not live to see the present life, it may have known more of
    /// the one before than those who said that nothing was lost.
    pub(super) async fn doubt(&self, database: &Database, dead: &str, lease_seconds: u64) -> StoreResult<()> {
        let mut call = self.call(&self.doubt);
        call.key(self.keys.nodes()).arg(dead).arg(lease_seconds);
        self.run(database, database.budgets().other, call).await
    }

    /// As if it had been heard on the feed.
    #[cfg(test)]
    pub(super) fn heard(&self, life: &str, appends: u64) {
        self.life.noticed(life, appends);
    }
}

/// The groups' logs, one stream each, with ids `{seq}-{unix ms}`.
pub struct RedisLogs {
    database: Database,
    scripts: Arc<LogScripts>,
    /// Who must have an append before it counts, beside the server.
    replicas: Option<Replicas>,
}

impl RedisLogs {
    pub(super) fn new(database: Database, scripts: Arc<LogScripts>, replicas: Option<Replicas>) -> Self {
        Self { database, scripts, replicas }
    }

    /// Reads from `start` on; returns the page in the order of reading.
    async fn read(&self, group: &GroupName, way: &str, start: String, size: PageSize) -> StoreResult<Page> {
        let call = || {
            let mut call = self.scripts.call(&self.scripts.read);
            call.arg(group.as_str()).arg(way).arg(&start).arg(size.events).arg(size.bytes);
            call
        };
        page(self.scripts.insist(&self.database, self.database.budgets().other, call).await?.0)
    }
}

fn appended(reply: Vec<redis::Value>) -> StoreResult<Option<Appended>> {
    let mut reply = ScriptReply::read(reply)?;
    Ok(Some(match reply.word.as_str() {
        "new" => Appended::New {
            epoch: Epoch::from(reply.take::<String>()?.as_str()),
            seq: reply.take()?,
            owed: reply.take()?,
        },
        "again" => {
            let seq = reply.take()?;
            let message: String = reply.take()?;
            let message = (!message.is_empty()).then(|| MessageId::from(message.as_str()));
            Appended::Again { seq, message, owed: reply.take()? }
        }
        "conflict" => Appended::Conflict,
        "unknown" => return Ok(None),
        other => return Err(wrong(other)),
    }))
}

/// What the scripts tell of a log: epoch, last seq, first seq, and after which seq the epoch began.
type State = (String, u64, u64, u64);

fn state((epoch, seq, first, began): State) -> LogState {
    LogState { head: LogHead { epoch: Epoch::from(epoch.as_str()), seq }, first, began }
}

#[async_trait]
impl Logs for RedisLogs {
    async fn append(&self, append: Append) -> StoreResult<Appended> {
        let scripts = &self.scripts;
        // The script puts the message's place behind its id.
        let message = append.message.as_ref().map_or("", MessageId::as_str);
        let text: &str = &append.body;
        let cut = text.find(message).filter(|_| !message.is_empty()).map(|at| at + message.len());
        let (body, rest) = text.split_at(cut.unwrap_or(text.len()));
        // Without an id of the message, its answer would have none.
        let owes = append.owes.as_ref().filter(|_| append.message.is_some());
        let call = || {
            let mut call = scripts.call(&scripts.append);
            call.arg(append.group.as_str()).arg(body).arg(&scripts.channel).arg(scripts.node_key.as_str());
            call.arg(message).arg(rest);
            call.arg(owes.map_or("", NodeId::as_str)).arg(ANSWER_LEASE_SECONDS).arg(RECORD_SECONDS);
            if let Some(once) = &append.once {
                call.key(scripts.keys.once(once)).arg(&once.fingerprint).arg(once.seconds);
            }
            call
        };
        let budget = self.database.budgets().append;
        let until = Instant::now() + budget;
        let (reply, run) = match append.once {
            Some(_) => scripts.insist(&self.database, budget, call).await?,
            // Nothing tells the second time from another message.
            None => scripts.run_known(&self.database, budget, call()).await?,
        };
        let appended = appended(reply)?.ok_or_else(|| wrong("an append is never unknown"))?;
        if let Some(replicas) = self.replicas.as_ref().filter(|_| appended != Appended::Conflict) {
            replicas.have_it(run, until).await?;
        }
        Ok(appended)
    }

    async fn recall(&self, once: &Once) -> StoreResult<Option<Appended>> {
        let call = || {
            let mut call = self.scripts.call(&self.scripts.recall);
            call.key(self.scripts.keys.once(once)).arg(&once.fingerprint);
            call
        };
        let (reply, _) = self.scripts.insist(&self.database, self.database.budgets().other, call).await?;
        appended(reply)
    }

    async fn open(&self, groups: &[GroupName]) -> StoreResult<Vec<LogState>> {
        let mut states = Vec::with_capacity(groups.len());
        for groups in groups.chunks(BATCH) {
            let mut call = self.scripts.call(&self.scripts.open);
            for group in groups {
                call.arg(group.as_str());
            }
            let flat: Vec<State> = self.scripts.run(&self.database, self.database.budgets().other, call).await?;
            states.extend(flat.into_iter().map(state));
        }
        if states.len() == groups.len() { Ok(states) } else { Err(wrong("not one state for each group")) }
    }

    async fn confirm(&self, group: &GroupName, head: &LogHead) -> StoreResult<LogState> {
        let mut call = self.scripts.call(&self.scripts.confirm);
        call.arg(group.as_str()).arg(head.epoch.as_str()).arg(head.seq);
        Ok(state(self.scripts.run(&self.database, self.database.budgets().other, call).await?))
    }

    async fn read_after(&self, group: &GroupName, after: u64, size: PageSize) -> StoreResult<Page> {
        self.read(group, "after", after.min(LAST_SEQ - 1).saturating_add(1).to_string(), size).await
    }

    async fn read_before(&self, group: &GroupName, before: Option<u64>, size: PageSize) -> StoreResult<Page> {
        let start = before.map_or("+".to_owned(), start_before);
        let mut page = self.read(group, "before", start, size).await?;
        page.events.reverse();
        Ok(page)
    }
}
