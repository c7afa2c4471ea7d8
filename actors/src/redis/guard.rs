//! The guard of a connection: what calls through it may take, and what their failures say of it.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult, ServerErrorKind};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use super::Budgets;
use super::bound::ConnectionPermit;
use super::latency::Latency;
use super::refusal::RefusalWatch;
use super::rights::{Needs, is_refusal, said};
use super::source::Source;
use crate::dependencies::Dependency;
use crate::failure::{StoreError, StoreResult};

pub(super) struct Guard {
    pub(super) name: &'static str,
    pub(super) budgets: Budgets,
    /// What is degraded while there is no link.
    pub(super) dependencies: Vec<Dependency>,
    pub(super) latency: Latency,
    pub(super) needs: Needs,
    /// What the server refuses though it answers.
    pub(super) refusal: RefusalWatch,
    /// The link in use. Dropping the sender beside it tells all who wait on its `lost`.
    pub(super) link: Mutex<Option<(Link, watch::Sender<()>)>>,
    pub(super) available: watch::Sender<bool>,
    /// Why there is no link, as far as was found out.
    pub(super) why: Mutex<String>,
    /// Wakes the keeper when the link was lost.
    pub(super) lost: Notify,
    /// The link was lost because its connection broke, not because something came too late or was refused.
    pub(super) is_broken: AtomicBool,
    /// What becomes of a link whose connection broke.
    pub(super) mending: watch::Sender<Mending>,
}

/// Whether a link that broke has another one in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mending {
    /// The next connection is being made: most often it is there in a moment.
    UnderWay,
    /// It has been there since then.
    Done(Instant),
    /// The server cannot be reached, or the link was given up for another reason.
    Not,
}

#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) connection: MultiplexedConnection,
    /// The run id of its server; empty if that is not known.
    pub(crate) run: Arc<str>,
    pub(super) made: Instant,
    pub(super) counted: ConnectionPermit,
    /// Closed when the link is given up.
    pub(super) lost: watch::Receiver<()>,
}

impl Guard {
    pub(super) fn link(&self) -> Option<Link> {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        link.as_ref().map(|(link, _)| link.clone())
    }

    pub(super) async fn call<T, F>(&self, budget: Duration, call: impl FnOnce(Link) -> F + Send) -> StoreResult<T>
    where
        F: Future<Output = RedisResult<T>> + Send,
    {
        let started = Instant::now();
        let deadline = started + budget;
        let Some(link) = self.link() else {
            return Err(self.unavailable(&self.why()));
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

    /// Waits until there is a new connection in the place of one that broke, if a call that began then met that: it may be made
    /// again. `false`: it met something else, or there is none by then.
    pub(super) async fn is_mended(&self, began: Instant, until: Instant) -> bool {
        let mut mending = self.mending.subscribe();
        let settled = timeout_at(until, mending.wait_for(|mending| *mending != Mending::UnderWay)).await;
        matches!(settled, Ok(Ok(mending)) if matches!(*mending, Mending::Done(at) if at >= began))
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
                self.refusal.forget();
            }
            self.open_breaker(made, &error.to_string());
            return self.unavailable(&error.to_string());
        }
        if is_refusal(error) {
            self.refusal.note(&said(error));
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
    pub(super) async fn try_rights(&self, connection: &MultiplexedConnection, source: &Source) -> Result<(), String> {
        self.refusal.tried(self.needs.try_all(connection, source).await?);
        Ok(())
    }

    /// Gives a link up, if it is still the one in use.
    pub(super) fn open_breaker(&self, made: Instant, reason: &str) {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if link.as_ref().is_some_and(|(link, _)| link.made == made) {
            *link = None;
            let is_broken = self.is_broken.load(Ordering::Relaxed);
            self.mending.send_replace(if is_broken { Mending::UnderWay } else { Mending::Not });
            self.available.send_replace(false);
            self.lost.notify_one();
            log::debug!(database = self.name, state = "lost", reason; "a connection to redis is lost");
            self.tell(reason);
        }
    }

    fn why(&self) -> String {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why there is no link; `None` if there is one.
    pub(super) fn away(&self) -> Option<String> {
        self.link().is_none().then(|| self.why())
    }

    /// Tells those that depend on it that there is none.
    fn tell(&self, reason: &str) {
        reason.clone_into(&mut self.why.lock().unwrap_or_else(PoisonError::into_inner));
        self.dependencies.iter().for_each(|dependency| dependency.lost(self.name, reason));
    }

    /// What is degraded without it, for one line about all of it.
    pub(super) fn dependents(&self) -> String {
        self.dependencies.iter().map(Dependency::name).collect::<Vec<_>>().join(",")
    }

    /// Says so if there is no link.
    pub(super) fn tell_if_away(&self, reason: &str) {
        // Under the lock: what is told last is how it is.
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if link.is_none() {
            self.tell(reason);
        }
    }

    pub(super) fn close_breaker(
        &self,
        connection: MultiplexedConnection,
        run: Arc<str>,
        counted: ConnectionPermit,
    ) -> Instant {
        let (alive, lost) = watch::channel(());
        let made = Instant::now();
        let new = (Link { connection, run, made, counted, lost }, alive);
        // Under the lock, so that what watchers see follows the link.
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        *link = Some(new);
        self.mending.send_if_modified(|mending| {
            let was_broken = *mending == Mending::UnderWay;
            *mending = if was_broken { Mending::Done(made) } else { *mending };
            was_broken
        });
        self.available.send_replace(true);
        log::debug!(database = self.name, state = "available"; "a connection to redis is made");
        self.dependencies.iter().for_each(|dependency| dependency.found(self.name));
        made
    }
}

/// The least that shows a server to be alive. One that cannot save refuses it with all writes, and has answered.
pub(crate) async fn ping(mut connection: MultiplexedConnection) -> RedisResult<()> {
    let answer: RedisResult<()> = redis::cmd("PING").query_async(&mut connection).await;
    answer.or_else(|error| if error.code() == Some("MISCONF") { Ok(()) } else { Err(error) })
}
