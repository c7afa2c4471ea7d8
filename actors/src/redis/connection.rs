//! One guarded connection to one database. Every call has a time budget that counts from its start. After one time-out
//! or broken connection the breaker opens: what is in flight fails at once and later calls are refused at once, until a
//! new connection has answered a PING. A connection that failed is never used again, so that late replies find nobody.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, RedisError, RedisResult, ScriptInvocation, ServerErrorKind};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::bound::Counted;
use super::latency::Latency;
use super::refused::Refused;
use super::reminder::Reminder;
use super::rights::{Needs, is_refusal, named_right, said};
use super::source::{Connected, Source};
use crate::actor::OwnedTask;
use crate::dependencies::{Dependency, Refusal};
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
/// Between two attempts while Redis is away.
const RETRY: Duration = Duration::from_millis(200);
/// A connection that was given up before this, because something came too late or was refused, had proven nothing by its ping: the next one is made later, and later each time, up
/// to [`MAX_RETRY`]. So a server that is slow at all but pings costs few calls their budget.
const PROVEN: Duration = Duration::from_secs(1);
const MAX_RETRY: Duration = Duration::from_millis(800);
/// After a connection that broke: it says nothing of how quick the server is.
const AGAIN: Duration = Duration::from_millis(20);
/// Between two looks at a connection that nobody may be using.
const LOOK: Duration = Duration::from_secs(1);

/// One database behind its guard. Clones share the connection; the last one ends it.
#[derive(Clone)]
pub(crate) struct Database {
    guard: Arc<Guard>,
    _keeper: Arc<OwnedTask>,
}

struct Guard {
    name: &'static str,
    budgets: Budgets,
    /// What is degraded while there is no link.
    dependencies: Vec<Dependency>,
    latency: Latency,
    needs: Needs,
    /// What the server refuses though it answers.
    refused: Refused,
    /// The link in use. Dropping the sender beside it tells all who wait on its `lost`.
    link: Mutex<Option<(Link, watch::Sender<()>)>>,
    available: watch::Sender<bool>,
    /// Wakes the keeper when the link was lost.
    lost: Notify,
    /// The link was lost because its connection broke, not because something came too late or was refused.
    is_broken: AtomicBool,
}

#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) connection: MultiplexedConnection,
    /// The run id of its server; empty if that is not known.
    pub(crate) run: Arc<str>,
    made: Instant,
    counted: Counted,
    /// Closed when the link is given up.
    lost: watch::Receiver<()>,
}

impl Database {
    /// Starts to keep a connection, good for all that it `needs`; waits a moment for the first one.
    pub(crate) async fn open(
        name: &'static str,
        source: Source,
        budgets: Budgets,
        dependencies: Vec<Dependency>,
        needs: Needs,
    ) -> Self {
        dependencies.iter().for_each(Dependency::in_use);
        let refused = Refused::new(name, dependencies.clone(), needs.refusals.clone());
        let guard = Arc::new(Guard {
            name,
            budgets,
            dependencies,
            latency: Latency::new(),
            needs,
            refused,
            link: Mutex::new(None),
            available: watch::Sender::new(false),
            lost: Notify::new(),
            is_broken: AtomicBool::new(false),
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

    /// How long calls have been let through; `None` while they are not.
    pub(crate) fn available_for(&self) -> Option<Duration> {
        self.guard.link().map(|link| link.made.elapsed())
    }

    /// How long writes have been let through, and taken; `None` while they are not.
    pub(crate) fn writable_for(&self) -> Option<Duration> {
        Some(self.available_for()?.min(self.guard.refused.fine_for()?))
    }

    /// A script within the budget of everything but appends. It is sent anew only when the server says that it does not
    /// know it, and so has done nothing.
    pub(crate) async fn script<T: FromRedisValue + Send>(&self, script: &ScriptInvocation<'_>) -> StoreResult<T> {
        self.call(|mut connection| async move { script.invoke_async(&mut connection).await }).await
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

impl Guard {
    fn link(&self) -> Option<Link> {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        link.as_ref().map(|(link, _)| link.clone())
    }

    async fn call<T, F>(&self, budget: Duration, call: impl FnOnce(Link) -> F + Send) -> StoreResult<T>
    where
        F: Future<Output = RedisResult<T>> + Send,
    {
        let started = Instant::now();
        let deadline = started + budget;
        let Some(link) = self.link() else {
            return Err(self.unavailable("refused at once, since it is away"));
        };
        let (made, mut lost) = (link.made, link.lost.clone());
        // The call has the connection, as long as it is not done.
        let _counted = link.counted.clone();
        let answer = tokio::select! {
            biased;
            answer = timeout_at(deadline, call(link)) => answer,
            _ = lost.changed() => return Err(self.unavailable("lost while waiting for an answer")),
        };
        self.latency.record(started.elapsed());
        match answer {
            // What came with the link's last breath is not taken: by now another server may have been told what this node knows.
            Ok(Ok(_)) if lost.has_changed().is_err() => Err(self.unavailable("lost while waiting for an answer")),
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.judge(made, &error)),
            Err(_) => {
                self.open_breaker(made, "no answer in time");
                Err(self.unavailable("no answer in time"))
            }
        }
    }

    /// What an error says of the connection and to the caller.
    fn judge(&self, made: Instant, error: &RedisError) -> StoreError {
        let (code, detail) = (error.code().unwrap_or_default(), error.detail().unwrap_or_default());
        // Before version 7 what a script's command met is told behind a general error.
        let says = |word: &&str| code == *word || (code == "ERR" && detail.contains(&format!("-{word} ")));
        // The server is there, but another one should be asked, or this one later.
        let elsewhere = ["LOADING", "MASTERDOWN", "READONLY", "BUSY"].iter().any(says);
        let broken = error.is_io_error() || error.is_unrecoverable_error();
        if broken || elsewhere {
            self.is_broken.store(broken, Ordering::Relaxed);
            if elsewhere {
                self.refused.forget();
            }
            self.open_breaker(made, &error.to_string());
            return self.unavailable(&error.to_string());
        }
        if is_refusal(error) {
            self.refused.note(&said(error));
            return self.unavailable(&error.to_string());
        }
        if code == "NOAUTH" || error.kind() == redis::ErrorKind::Server(ServerErrorKind::NoScript) {
            return self.unavailable(&error.to_string());
        }
        StoreError::Corrupt(error.to_string())
    }

    fn unavailable(&self, reason: &str) -> StoreError {
        StoreError::Unavailable(format!("redis database {}: {reason}", self.name))
    }

    /// Uses every right that is needed, and notes what is refused.
    async fn try_rights(&self, connection: &MultiplexedConnection, source: &Source) -> Result<(), String> {
        self.refused.tried(self.needs.try_all(connection, source).await?);
        Ok(())
    }

    /// Gives a link up, if it is still the one in use.
    fn open_breaker(&self, made: Instant, reason: &str) {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if link.as_ref().is_some_and(|(link, _)| link.made == made) {
            *link = None;
            self.available.send_replace(false);
            self.lost.notify_one();
            log::debug!("redis=lost database={} reason={reason:?}", self.name);
            self.dependencies.iter().for_each(|dependency| dependency.lost(self.name, reason));
        }
    }

    /// Says so if there is no link.
    fn tell_if_away(&self, reason: &str) {
        // Under the lock: what is told last is how it is.
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if link.is_none() {
            self.dependencies.iter().for_each(|dependency| dependency.lost(self.name, reason));
        }
    }

    fn close_breaker(&self, connection: MultiplexedConnection, run: Arc<str>, counted: Counted) -> Instant {
        let (alive, lost) = watch::channel(());
        let made = Instant::now();
        let new = (Link { connection, run, made, counted, lost }, alive);
        // Under the lock, so that what watchers see follows the link.
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        *link = Some(new);
        self.available.send_replace(true);
        log::debug!("redis=available database={}", self.name);
        self.dependencies.iter().for_each(|dependency| dependency.found(self.name));
        made
    }
}

/// Makes a connection whenever there is none, and looks after the one there is.
async fn keep(guard: Arc<Guard>, source: Source) {
    let mut pause = RETRY;
    let mut reminder = Reminder::default();
    loop {
        let connected = match source.connect(guard.budgets.other).await {
            Ok(connected) if guard.refused.is_to_be_tried() => {
                guard.try_rights(&connected.connection, &source).await.map(|()| connected)
            }
            connected => connected,
        };
        match connected {
            Ok(Connected { connection, run, mut seen, counted }) => {
                let made = guard.close_breaker(connection, run, counted);
                while guard.link().is_some() {
                    tokio::select! {
                        () = guard.lost.notified() => {}
                        () = seen.moved() => guard.open_breaker(made, "another server has taken its place"),
                        // A failure opens the breaker by itself.
                        () = tokio::time::sleep(LOOK) => {
                            _ = guard.call(guard.budgets.other, |link| ping(link.connection)).await;
                            if guard.refused.is_set()
                                && let Some(link) = guard.link()
                                && let Err(reason) = guard.try_rights(&link.connection, &source).await
                            {
                                guard.open_breaker(link.made, &reason);
                            }
                        }
                    }
                }
                // At once, unless the server answers pings and fails at everything else.
                if guard.is_broken.swap(false, Ordering::Relaxed) {
                    tokio::time::sleep(AGAIN).await;
                } else if made.elapsed() < PROVEN {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(MAX_RETRY);
                } else {
                    pause = RETRY;
                    reminder.forget();
                }
            }
            Err(reason) => {
                if let Some(right) = named_right(&reason) {
                    guard.refused.tried(Some(Refusal::Rights(vec![right])));
                }
                guard.tell_if_away(&reason);
                if reminder.is_due(Instant::now()) {
                    log::warn!(
                        "redis not reached database={} address={} reason={reason:?}",
                        guard.name,
                        source.address()
                    );
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// The least that shows a server to be alive. One that cannot save refuses it with all writes, and has answered.
pub(crate) async fn ping(mut connection: MultiplexedConnection) -> RedisResult<()> {
    let answer: RedisResult<()> = redis::cmd("PING").query_async(&mut connection).await;
    answer.or_else(|error| if error.code() == Some("MISCONF") { Ok(()) } else { Err(error) })
}
