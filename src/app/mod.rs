//! The program: the only place where actors are started and joined.

mod acceptor;
mod adjustable;
mod announce;
mod backend;
mod build;
mod certificate;
mod drain;
mod listener;
mod policy;
mod reload;
mod routes;
mod signals;
mod storage;
mod threads;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use sophie_actors::cluster::mirror::MirrorHandle;
use sophie_actors::node::Node;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use acceptor::Acceptor;
use adjustable::Adjustable;
pub(crate) use backend::members;
pub use build::Replacements;
pub(crate) use build::workers;
pub(crate) use listener::{Bound, raise_file_limit};
pub(crate) use storage::{layer_options, redis_options};

use crate::http::State;
use crate::settings::{LoadFrom, Loaded};
use crate::telemetry::Telemetry;
use crate::tls::Listening;
use reload::Reload;
use signals::Stops;
use threads::Threads;

/// What the end of the threads may take after the drain.
const STOP_THREADS: Duration = Duration::from_millis(900);

/// What sending the last spans may take.
const LAST_SPANS: Duration = Duration::from_millis(500);

/// Why the program could not start or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}; choose another server.bind or admin.bind")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// Settings that cannot be carried out.
    #[error("{0}")]
    Settings(String),
    /// Traces cannot be sent.
    #[error("otel.endpoint cannot be used: {0}")]
    Telemetry(String),
    /// An actor that everything rests on is gone.
    #[error("the {0} ended; the process cannot go on and should be started again")]
    ActorEnded(&'static str),
    /// The threads that serve a listener are gone.
    #[error("nobody serves {0} any more; the process cannot go on and should be started again")]
    Server(SocketAddr),
}

/// The built program: its listeners are bound, its actors run.
pub struct Program {
    addresses: Vec<SocketAddr>,
    acceptors: Vec<Acceptor>,
    state: Data<State>,
    mirror: MirrorHandle,
    threads: Threads,
    ended: mpsc::Receiver<&'static str>,
    drain: Duration,
    tls: Option<Arc<Listening>>,
    adjustable: Adjustable,
    telemetry: Telemetry,
}

impl Program {
    /// Where the public listener is.
    pub fn address(&self) -> SocketAddr {
        self.addresses.first().copied().unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// The public listener's port.
    pub fn port(&self) -> u16 {
        self.address().port()
    }

    /// The actors and stores, for probes.
    pub fn node(&self) -> &Node {
        &self.state.node
    }

    /// Serves until `shutdown`, then drains.
    ///
    /// # Errors
    /// An essential actor or the HTTP server has ended.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), AppError> {
        self.run_until(shutdown, std::future::pending()).await
    }

    /// [`Self::run`], whose drain ends as soon as `hurry` says so.
    ///
    /// # Errors
    /// As for [`Self::run`].
    pub async fn run_until(
        mut self,
        shutdown: impl Future<Output = ()>,
        hurry: impl Future<Output = ()>,
    ) -> Result<(), AppError> {
        let accepting = std::mem::take(&mut self.acceptors).into_iter().map(|acceptor| actix::spawn(acceptor.run()));
        let mut accepting = futures_util::future::select_all(accepting);
        let outcome = tokio::select! {
            () = shutdown => Ok(()),
            name = self.ended.recv() => Err(AppError::ActorEnded(name.unwrap_or("core"))),
            (ended, _, _) = &mut accepting => Err(ended.unwrap_or(AppError::ActorEnded("acceptor"))),
        };
        match &outcome {
            Ok(()) => self.drain(hurry).await,
            Err(error) => log::error!(event = "stopped_by_failure", error:%; "the program stops, for it cannot go on"),
        }
        accepting.into_inner().iter().for_each(JoinHandle::abort);
        if timeout(STOP_THREADS, self.threads.stop()).await.is_err() {
            log::warn!(event = "threads_not_ended"; "threads did not end in time");
        }
        self.telemetry.flush(LAST_SPANS).await;
        outcome
    }
}

/// Serves until SIGTERM or SIGINT, or until its terminal is gone. A second such signal, a second or more later, ends the drain. At SIGHUP the
/// settings are loaded again `from` where they were loaded at first.
///
/// # Errors
/// As for [`Program::build`] and [`Program::run`].
pub async fn run(loaded: Loaded, from: LoadFrom) -> Result<(), AppError> {
    // Before everything else, so that a signal during a slow start is heard too.
    let (mut stops, hangups) = Stops::listen();
    let (begin, begun) = oneshot::channel();
    let (hasten, hastened) = oneshot::channel::<()>();
    actix::spawn(async move {
        let first = stops.first().await;
        _ = begin.send(());
        stops.again(first).await;
        _ = hasten.send(());
    });
    let Loaded { settings, origins, .. } = loaded;
    let program = Program::build(settings).await?;
    actix::spawn(Reload::of(&program, from, origins).follow(hangups));
    program.run_until(async { _ = begun.await }, async { _ = hastened.await }).await
}
