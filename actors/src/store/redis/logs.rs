//! The groups' logs in Redis.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use super::log_scripts::LogScripts;
use super::page::{LAST_SEQ, page, start_before};
use crate::ids::{Epoch, GroupName, MessageId, NodeId};
use crate::protocol::LogHead;
use crate::redis::{Database, Replicas, ScriptReply, wrong};
use crate::store::{
    ANSWER_LEASE_SECONDS, Append, Appended, LogState, Logs, Once, Page, PageSize, RECORD_SECONDS, StoreResult,
};

/// Groups in one script run: a few milliseconds of the server's time.
const BATCH: usize = 500;

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
