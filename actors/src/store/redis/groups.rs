//! The index of groups in Redis.

use std::sync::Arc;

use async_trait::async_trait;

use super::log_scripts::LogScripts;
use crate::ids::GroupName;
use crate::redis::ScriptReply;
use crate::redis::{Database, wrong};
use crate::store::{GroupIndex, GroupInfo, StoreResult};

/// Names that one script run looks at: some milliseconds of the server's time.
const LOOK: usize = 500;

/// The index of groups: a sorted set in which all scores are 0, so that it is sorted by name.
pub struct RedisGroups {
    database: Database,
    scripts: Arc<LogScripts>,
}

impl RedisGroups {
    pub(super) fn new(database: Database, scripts: Arc<LogScripts>) -> Self {
        Self { database, scripts }
    }

    /// Some groups from `from` to `to`, and where to go on (empty: nowhere).
    async fn describe(&self, limit: usize, from: &str, to: &str) -> StoreResult<(String, Vec<GroupInfo>)> {
        let mut call = self.scripts.call(&self.scripts.describe);
        call.arg(LOOK).arg(limit).arg(from).arg(to);
        let mut values: Vec<redis::Value> =
            self.scripts.run(&self.database, self.database.budgets().other, call).await?;
        let rest = values.split_off(values.len().min(1));
        let go_on = ScriptReply::read(values)?.word;
        let mut groups = Vec::with_capacity(rest.len());
        for value in rest {
            let (name, created_at_ms, expires_at_ms, last_seq, assistant): (String, u64, u64, u64, bool) =
                redis::from_redis_value(value).map_err(|error| wrong(&error.to_string()))?;
            // Somebody else's entry: no group of ours has such a name.
            let Ok(name) = GroupName::parse(&name) else { continue };
            groups.push(GroupInfo { name, created_at_ms, expires_at_ms, last_seq, assistant });
        }
        Ok((go_on, groups))
    }
}

#[async_trait]
impl GroupIndex for RedisGroups {
    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: usize) -> StoreResult<Vec<GroupInfo>> {
        let mut from = match cursor {
            Some(cursor) if cursor >= prefix => format!("({cursor}"),
            _ => format!("[{prefix}"),
        };
        // Names are ASCII, so that every one with the prefix comes before this.
        let to = format!("({prefix}\u{80}");
        let mut groups: Vec<GroupInfo> = Vec::new();
        while groups.len() < limit {
            let (go_on, more) = self.describe(limit - groups.len(), &from, &to).await?;
            groups.extend(more);
            if go_on.is_empty() {
                break;
            }
            from = go_on;
        }
        Ok(groups)
    }

    async fn info(&self, group: &GroupName) -> StoreResult<Option<GroupInfo>> {
        Ok(self.describe(0, group.as_str(), "").await?.1.pop())
    }

    async fn delete(&self, group: &GroupName) -> StoreResult<bool> {
        let keys = &self.scripts.keys;
        let mut commands = redis::pipe();
        commands.atomic().cmd("DEL").arg(keys.group(group.as_str()));
        commands.cmd("DEL").arg(keys.log(group.as_str())).ignore();
        commands.cmd("ZREM").arg(keys.groups()).arg(group.as_str()).ignore();
        commands.cmd("ZREM").arg(keys.waiting()).arg(group.as_str()).ignore();
        let (was,): (bool,) =
            self.database.call(|mut connection| async move { commands.query_async(&mut connection).await }).await?;
        Ok(was)
    }
}
