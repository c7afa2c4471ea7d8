//! How actors end, whichever way, and how long one waits for another.

use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::prelude::*;
use tokio::task::JoinHandle;

/// How long one actor waits for another before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// An actor did not answer in time, or has ended: what was asked may be done or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the actor did not answer")]
pub struct Unanswered;

/// Asks an actor, for its handle, and says in the log if it does not answer: which actor, and what it was asked.
pub(crate) async fn ask<A, M>(actor: &Addr<A>, name: &str, question: &str, message: M) -> Result<M::Result, Unanswered>
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    actor.send(message).timeout(PATIENCE).await.map_err(|error| {
        log::error!(event = "actor_silent", actor = name, question, error:%; "an actor did not answer");
        Unanswered
    })
}

/// A task that ends with its owner.
#[derive(Debug)]
pub struct OwnedTask(JoinHandle<()>);

impl OwnedTask {
    /// Runs it on the present runtime.
    pub fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task))
    }
}

impl Drop for OwnedTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Why an actor ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It stopped of its own accord.
    Stopped,
    /// It panicked.
    Panicked,
}

/// Reports an actor's end when it is dropped: an actor owns one, so that a panic is reported as well as a stop.
pub struct ExitGuard(Option<Box<dyn FnOnce(Exit) + Send>>);

impl ExitGuard {
    /// `report` is called exactly once, on the actor's own thread.
    pub fn new(report: impl FnOnce(Exit) + Send + 'static) -> Self {
        Self(Some(Box::new(report)))
    }
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        if let Some(report) = self.0.take() {
            // An unwinding thread drops the actor while it panics; a stop does not.
            report(if std::thread::panicking() { Exit::Panicked } else { Exit::Stopped });
        }
    }
}

impl std::fmt::Debug for ExitGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ExitGuard")
    }
}
