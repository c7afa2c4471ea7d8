//! The program: the only place where actors are started and joined.

mod announce;
mod backend;
mod build;
mod certificate;
mod drain;
mod listener;
mod routes;
mod signals;
mod storage;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use actix_web::dev::{Server, ServerHandle};
use actix_web::web::Data;
use sophie_actors::cluster::mirror::MirrorHandle;
use sophie_actors::node::Node;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

pub use build::Replacements;

use crate::http::State;
use crate::settings::Settings;
use crate::tls::Listening;
use signals::Stops;

/// What stopping the listeners may take after the drain.
const STOP_SERVER: Duration = Duration::from_millis(900);

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
    /// An actor that everything rests on is gone.
    #[error("the {0} ended; the process cannot go on and should be started again")]
    ActorEnded(&'static str),
    /// The HTTP server is gone.
    #[error("the HTTP server ended: {0}")]
    Server(String),
}

/// The built program: its listeners are bound, its actors run.
pub struct Program {
    addresses: Vec<SocketAddr>,
    servers: Vec<Server>,
    state: Data<State>,
    mirror: MirrorHandle,
    arbiters: Vec<Arbiter>,
    ended: mpsc::Receiver<&'static str>,
    drain: Duration,
    tls: Option<Arc<Listening>>,
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
        let handles: Vec<ServerHandle> = self.servers.iter().map(Server::handle).collect();
        let servers = futures_util::future::select_all(std::mem::take(&mut self.servers).into_iter().map(actix::spawn));
        tokio::pin!(servers);
        let outcome = tokio::select! {
            () = shutdown => Ok(()),
            name = self.ended.recv() => Err(AppError::ActorEnded(name.unwrap_or("core"))),
            (served, _, _) = &mut servers => Err(AppError::Server(format!("{served:?}"))),
        };
        match &outcome {
            Ok(()) => self.drain(hurry).await,
            Err(error) => log::error!("{error}"),
        }
        let stop = futures_util::future::join_all(handles.iter().map(|handle| handle.stop(false)));
        if timeout(STOP_SERVER, stop).await.is_err() {
            log::warn!("http server did not stop in time");
        }
        self.arbiters.iter().for_each(|arbiter| _ = arbiter.stop());
        outcome
    }
}

/// Serves until SIGTERM or SIGINT, or until its terminal is gone. A second such signal, a second or more later, ends the drain.
///
/// # Errors
/// As for [`Program::build`] and [`Program::run`].
pub async fn run(settings: Settings) -> Result<(), AppError> {
    // Before everything else, so that a signal during a slow start is heard too.
    let (mut stops, hangups) = Stops::listen(settings.server.has_tls());
    let (begin, begun) = oneshot::channel();
    let (hasten, hastened) = oneshot::channel::<()>();
    actix::spawn(async move {
        let first = stops.first().await;
        _ = begin.send(());
        stops.again(first).await;
        _ = hasten.send(());
    });
    let program = Program::build(settings).await?;
    actix::spawn(certificate::follow(hangups, program.tls.clone()));
    program.run_until(async { _ = begun.await }, async { _ = hastened.await }).await
}
