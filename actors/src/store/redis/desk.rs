//! Who answers in groups, and which of them wait for a person, in Redis.

use std::sync::Arc;

use async_trait::async_trait;
use redis::ScriptInvocation;

use super::RedisOptions;
use super::log_scripts::LogScripts;
use crate::ids::{Epoch, GroupName};
use crate::protocol::{DjangoEvent, PersonState};
use crate::redis::{Database, ScriptReply, wrong};
use crate::store::{
    Act, Asked, Asker, Attendance, Change, Desk, MOST_WAITING, Once, PersonNews, PersonTold, REMARK_ONCE_SECONDS,
    StoreResult, Waiting,
};

/// Groups in one script run: a few milliseconds of the server's time.
const BATCH: usize = 500;

/// The groups' own keys, and one sorted set of those that wait.
pub struct RedisDesk {
    database: Database,
    scripts: Arc<LogScripts>,
    /// Whether the worker is told.
    for_worker: bool,
}

impl RedisDesk {
    pub(super) fn new(database: Database, scripts: Arc<LogScripts>, options: &RedisOptions) -> Self {
        Self { database, scripts, for_worker: options.worker.contains(&DjangoEvent::Person) }
    }

    async fn run<T: redis::FromRedisValue + Send>(&self, call: ScriptInvocation<'_>) -> StoreResult<T> {
        self.scripts.run(&self.database, self.database.budgets().other, call).await
    }

    async fn try_ask(&self, group: &GroupName, asker: &Asker, id: Option<&str>) -> StoreResult<Asked> {
        let json = serde_json::to_string(asker).map_err(|error| wrong(&error.to_string()))?;
        let mut call = self.scripts.call(&self.scripts.person_ask);
        if let Some(id) = id {
            call.key(self.scripts.keys.once(&remark(&asker.session, id)));
        }
        call.arg(group.as_str()).arg(json).arg(&self.scripts.channel).arg(MOST_WAITING).arg(REMARK_ONCE_SECONDS);
        call.arg(i32::from(self.for_worker)).arg(asker.fingerprint(group));
        let mut reply = ScriptReply::read(self.run(call).await?)?;
        match reply.word.as_str() {
            "again" => return Ok(Asked::Again),
            "conflict" => return Ok(Asked::Conflict),
            "full" => return Ok(Asked::Full),
            _ => {}
        }
        let first: bool = reply.take()?;
        let (epoch, changes, on): (String, u64, bool) = (reply.take()?, reply.take()?, reply.take()?);
        let (waiting, at_ms) = (reply.take()?, reply.take()?);
        let (group, asker) = (group.clone(), Some(asker.clone()));
        let change = Change {
            attendance: attendance((epoch, changes, on, PersonState::Asked.as_str().to_owned())),
            told: Some(PersonTold { group, state: PersonNews::Asked, on, asker, at_ms }),
            waiting,
        };
        Ok(Asked::Noted { change, first })
    }

    /// What is given to the script stands there.
    async fn list(&self, limit: i64, begin: &str, after: Option<(u64, &str)>) -> StoreResult<Vec<Waiting>> {
        let mut call = self.scripts.call(&self.scripts.person_waiting);
        let (since, name) = after.map_or((String::new(), ""), |(since, name)| (since.to_string(), name));
        call.arg(limit).arg(begin).arg(since).arg(name);
        let rows: Vec<(String, u64, String, bool)> = self.run(call).await?;
        // Somebody else's entry: no group of ours has such a name, and none such an asker.
        let read = |(group, since_ms, asker, assistant): (String, u64, String, bool)| {
            let (group, asker) = (GroupName::parse(&group).ok()?, serde_json::from_str(&asker).ok()?);
            Some(Waiting { group, since_ms, asker, assistant })
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }
}

fn attendance((epoch, changes, assistant, person): (String, u64, bool, String)) -> Attendance {
    let epoch = (!epoch.is_empty()).then(|| Epoch::from(epoch.as_str()));
    Attendance { epoch, changes, assistant, person: PersonState::parse(&person) }
}

#[async_trait]
impl Desk for RedisDesk {
    async fn ask(&self, group: &GroupName, asker: &Asker, id: Option<&str>) -> StoreResult<Asked> {
        match self.try_ask(group, asker, id).await? {
            // Groups that are gone may hold places.
            Asked::Full if self.count().await? < MOST_WAITING => self.try_ask(group, asker, id).await,
            asked => Ok(asked),
        }
    }

    async fn settle(&self, group: &GroupName, act: Act) -> StoreResult<Option<Change>> {
        let (word, state) = match act {
            Act::TakeOver => ("taken", PersonNews::Taken),
            Act::HandBack => ("handed_back", PersonNews::HandedBack),
            Act::Dismiss => ("dismissed", PersonNews::Dismissed),
        };
        let mut call = self.scripts.call(&self.scripts.person_settle);
        call.arg(group.as_str()).arg(word).arg(&self.scripts.channel).arg(i32::from(self.for_worker));
        let reply: redis::Value = self.run(call).await?;
        if let redis::Value::Array(short) = &reply
            && short.len() < 2
        {
            return Ok(None);
        }
        type Settled = (bool, String, u64, bool, String, usize, u64, String);
        let (changed, epoch, changes, on, person, waiting, at_ms, asker): Settled =
            redis::from_redis_value(reply).map_err(|error| wrong(&error.to_string()))?;
        let asker = serde_json::from_str(&asker).ok();
        let told = changed.then(|| PersonTold { group: group.clone(), state, on, asker, at_ms });
        Ok(Some(Change { attendance: attendance((epoch, changes, on, person)), told, waiting }))
    }

    async fn attendance(&self, groups: &[GroupName]) -> StoreResult<Vec<Attendance>> {
        let mut found = Vec::with_capacity(groups.len());
        for batch in groups.chunks(BATCH) {
            let mut call = self.scripts.call(&self.scripts.person_look);
            batch.iter().for_each(|group| _ = call.arg(group.as_str()));
            let rows: Vec<(String, u64, bool, String)> = self.run(call).await?;
            found.extend(rows.into_iter().map(attendance));
        }
        Ok(found)
    }

    async fn waiting(&self, prefix: &str, after: Option<(u64, &str)>, limit: usize) -> StoreResult<Vec<Waiting>> {
        match limit {
            0 => Ok(Vec::new()),
            limit => self.list(i64::try_from(limit).unwrap_or(i64::MAX), prefix, after).await,
        }
    }

    async fn newest(&self) -> StoreResult<Option<Waiting>> {
        Ok(self.list(-1, "", None).await?.pop())
    }

    async fn waits(&self, group: &GroupName) -> StoreResult<Option<Waiting>> {
        Ok(self.list(0, group.as_str(), None).await?.pop())
    }

    async fn count(&self) -> StoreResult<usize> {
        self.run(self.scripts.call(&self.scripts.person_count)).await
    }
}

/// The id of what a session says beside its chat.
pub(super) fn remark(session: &crate::ids::SessionId, id: &str) -> Once {
    Once {
        scope: format!("remark:{session}"),
        id: id.to_owned(),
        fingerprint: String::new(),
        seconds: REMARK_ONCE_SECONDS,
    }
}
