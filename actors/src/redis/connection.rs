//! One guarded connection to one database. Every call has a time budget that counts from its start. After one time-out
//! or broken connection the breaker opens: what is in flight fails at once and later calls are refused at once, until a
//! new connection has answered a PING. A connection that failed is never used again, so that late replies find nobody.

use std::fmt;
use std::future::Future;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prometheus::Histogram;
use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, RedisResult, ScriptInvocation};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use super::guard::{Guard, Link, Mending};
use super::keeping::keep;
use super::latency::Latency;
use super::refusal::RefusalWatch;
use super::rights::Needs;
use super::source::Source;
use crate::actor::OwnedTask;
use crate::dependencies::Dependency;
use crate::failure::{StoreError, StoreResult};

/// How long calls may take, from their start.
#[derive(Debug, Clone, Copy)]
pub struct Budgets {
    /// An append to a log, and the end of an answer.
    pub append: Duration,
    /// Everything else.
    pub other: Duration,
}

impl Default for Budgets {
    /// What the protocol allows: 2 s to append, 100 ms for all else.
    fn default() -> Self {
        Self { append: Duration::from_secs(2), other: Duration::from_millis(100) }
    }
}

/// How long `open` waits for the first connection: the service starts without Redis as well.
const FIRST_CONNECT: Duration = Duration::from_millis(500);

/// One database behind its guard. Clones share the connection; the last one ends it.
#[derive(Clone)]
pub(crate) struct Database {
    guard: Arc<Guard>,
    _keeper: Arc<OwnedTask>,
}

impl Database {
    /// Starts to keep a connection, good for all that it `needs`; waits a moment for the first one.
    pub(crate) async fn open(
        name: &'static str,
        source: Source,
        budgets: Budgets,
        dependencies: Vec<Dependency>,
        needs: Needs,
        seconds: Histogram,
    ) -> Self {
        dependencies.iter().for_each(Dependency::in_use);
        let refusal = RefusalWatch::new(name, dependencies.clone(), needs.refusals.clone());
        let guard = Arc::new(Guard {
            name,
            budgets,
            dependencies,
            latency: Latency::new(seconds),
            needs,
            refusal,
            link: Mutex::new(None),
            available: watch::Sender::new(false),
            why: Mutex::new("not connected yet".to_owned()),
            lost: Notify::new(),
            is_broken: AtomicBool::new(false),
            mending: watch::Sender::new(Mending::Not),
        });
        let keeper = OwnedTask::spawn(keep(guard.clone(), source));
        let mut available = guard.available.subscribe();
        if timeout(FIRST_CONNECT, available.wait_for(|available| *available)).await.is_err() {
            guard.tell_if_away("no connection in time");
        }
        Self { guard, _keeper: Arc::new(keeper) }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.guard.name
    }

    pub(crate) fn budgets(&self) -> Budgets {
        self.guard.budgets
    }

    pub(crate) fn latency(&self) -> &Latency {
        &self.guard.latency
    }

    /// Whether calls are let through, now and from now on.
    pub(crate) fn available(&self) -> watch::Receiver<bool> {
        self.guard.available.subscribe()
    }

    /// Why it is away; `None` while it is not.
    pub(crate) fn away(&self) -> Option<String> {
        self.guard.away()
    }

    /// How long calls have been let through; `None` while they are not.
    pub(crate) fn available_for(&self) -> Option<Duration> {
        self.guard.link().map(|link| link.made.elapsed())
    }

    /// How long writes have been let through, and taken; `None` while they are not.
    pub(crate) fn writable_for(&self) -> Option<Duration> {
        Some(self.available_for()?.min(self.guard.refusal.fine_for()?))
    }

    /// A script within the budget of everything but appends. It is sent anew only when the server says that it does not
    /// know it, and so has done nothing.
    pub(crate) async fn script<T: FromRedisValue + Send>(&self, script: &ScriptInvocation<'_>) -> StoreResult<T> {
        self.call(|mut connection| async move { script.invoke_async(&mut connection).await }).await
    }

    /// Makes a call that may be made twice, within a budget: where its connection breaks, again over the next one. It is given what
    /// is left of the budget. So a connection that is cut costs time and no error.
    ///
    /// # Errors
    /// As its own; and those of a server that is away are told at once.
    pub(crate) async fn insist<T, F>(&self, budget: Duration, call: impl Fn(Duration) -> F + Send) -> StoreResult<T>
    where
        F: Future<Output = StoreResult<T>> + Send,
    {
        let until = Instant::now() + budget;
        loop {
            let began = Instant::now();
            match call(until - began).await {
                Err(StoreError::Unavailable(_)) if self.guard.is_mended(began, until).await => {}
                said => return said,
            }
        }
    }

    /// [`Self::script`], for one that may run twice: see [`Self::insist`].
    pub(crate) async fn script_again<T: FromRedisValue + Send>(&self, script: &ScriptInvocation<'_>) -> StoreResult<T> {
        let run = |left| {
            self.call_within(left, |link| async move { script.invoke_async(&mut link.connection.clone()).await })
        };
        self.insist(self.guard.budgets.other, run).await
    }

    /// Any call within a budget, that may ask whose connection it has.
    pub(crate) async fn call_within<T, F>(
        &self,
        budget: Duration,
        call: impl FnOnce(Link) -> F + Send,
    ) -> StoreResult<T>
    where
        F: Future<Output = RedisResult<T>> + Send,
    {
        self.guard.call(budget, call).await
    }

    /// Any call within the budget of everything but appends.
    pub(crate) async fn call<T, F>(&self, call: impl FnOnce(MultiplexedConnection) -> F + Send) -> StoreResult<T>
    where
        F: Future<Output = RedisResult<T>> + Send,
    {
        self.guard.call(self.guard.budgets.other, |link| call(link.connection)).await
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("name", &self.guard.name).finish_non_exhaustive()
    }
}
