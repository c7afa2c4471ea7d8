//! The scripts that work on logs, and how they are called.

use std::sync::Arc;
use std::time::Duration;

use redis::{FromRedisValue, Script, ScriptInvocation};

use super::RedisOptions;
use super::keys::Keys;
use super::life::Life;
use crate::ids::{Epoch, NodeKey};
use crate::redis::{Database, Link};
use crate::store::StoreResult;

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

/// A script about who answers in a group.
macro_rules! desk_script {
    ($name:literal) => {
        life_script!(
            concat!("local for_worker = false\n", include_str!("scripts/log.lua"), include_str!("scripts/desk.lua")),
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
    pub(super) append: Script,
    pub(super) recall: Script,
    pub(super) open: Script,
    pub(super) confirm: Script,
    pub(super) read: Script,
    claim: Script,
    doubt: Script,
    life: Arc<Life>,
    pub(super) describe: Script,
    pub(super) person_ask: Script,
    pub(super) person_settle: Script,
    pub(super) person_look: Script,
    pub(super) person_waiting: Script,
    pub(super) person_count: Script,
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
            person_ask: desk_script!("person_ask.lua"),
            person_settle: desk_script!("person_settle.lua"),
            person_look: desk_script!("person_look.lua"),
            person_waiting: desk_script!("person_waiting.lua"),
            person_count: desk_script!("person_count.lua"),
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
    pub(super) async fn run_known<T: FromRedisValue + Send>(
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
