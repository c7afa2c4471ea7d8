//! Takes connections and hands them to the threads that serve them, in turn.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use actix::ArbiterHandle;
use actix_service::{Service, ServiceFactory};
use actix_web::rt;
use sophie_actors::repeated::Reminder;
use tokio::net;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::AppError;
use crate::line::{Line, Places, UNSEEN};

/// How long after an error that is not one connection's: none of them goes away at once.
const PAUSE: Duration = Duration::from_millis(200);

/// Of one listener.
pub(super) struct Acceptor {
    listener: TcpListener,
    address: SocketAddr,
    threads: Vec<mpsc::Sender<TcpStream>>,
}

impl Acceptor {
    /// Each of these threads makes its own service.
    pub(super) fn new<S, F>(
        listener: TcpListener,
        address: SocketAddr,
        threads: &[ArbiterHandle],
        places: &Places,
        head_within: Duration,
        service: F,
    ) -> Self
    where
        F: FnOnce() -> S + Clone + Send + 'static,
        S: ServiceFactory<(Line, Option<SocketAddr>), Config = ()> + 'static,
        S::Error: std::fmt::Debug,
    {
        let room = UNSEEN.div_ceil(threads.len().max(1));
        let start = |thread: &ArbiterHandle| {
            let (hand, handed) = mpsc::channel(room);
            let (service, places) = (service.clone(), places.clone());
            thread.spawn_fn(move || _ = rt::spawn(serve(handed, service, places, head_within)));
            hand
        };
        Self { listener, address, threads: threads.iter().map(start).collect() }
    }

    /// Takes connections until it is dropped.
    ///
    /// # Errors
    /// Nobody is there to serve them any more.
    pub(super) async fn run(self) -> Result<Infallible, AppError> {
        let Self { listener, address, threads } = self;
        let failed = |error| AppError::Listen { address, error };
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = net::TcpListener::from_std(listener).map_err(failed)?;
        let mut reminder = Reminder::default();
        for first in (0..threads.len()).cycle() {
            let stream = loop {
                match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
                    Ok(stream) => break stream,
                    Err(error) if is_of_one_connection(&error) => {}
                    Err(error) => {
                        if reminder.is_due(Instant::now()) {
                            log::error!("connections not accepted, trying again address={address} error={error}");
                        }
                        sleep(PAUSE).await;
                    }
                }
            };
            let in_turn = (first..threads.len()).chain(0..first);
            let free = in_turn.filter_map(|thread| threads[thread].try_reserve().ok()).next();
            match free {
                Some(place) => place.send(stream),
                // No thread has looked at what it was given before: more wait in the kernel meanwhile.
                None => threads[first].send(stream).await.map_err(|_| AppError::Server(address))?,
            }
        }
        Err(AppError::Server(address))
    }
}

/// Whether the client was gone before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Serves what this thread is handed.
async fn serve<S>(
    mut handed: mpsc::Receiver<TcpStream>,
    service: impl FnOnce() -> S,
    places: Places,
    head_within: Duration,
) where
    S: ServiceFactory<(Line, Option<SocketAddr>), Config = ()>,
    S::Service: 'static,
    S::Error: std::fmt::Debug,
{
    let Ok(service) = service().new_service(()).await else { return };
    while let Some(stream) = handed.recv().await {
        // Non-blocking since it was accepted.
        let stream = match net::TcpStream::from_std(stream) {
            Ok(stream) => stream,
            Err(error) => {
                log::debug!("connection not taken error={error}");
                continue;
            }
        };
        let peer = stream.peer_addr().ok();
        let line = Line::new(stream, peer, &places, head_within);
        let served = service.call((line, peer));
        rt::spawn(async move {
            if let Err(error) = served.await {
                log::debug!("connection ended address={peer:?} error={error:?}");
            }
        });
    }
}
