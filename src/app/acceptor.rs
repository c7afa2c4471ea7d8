//! Takes connections and hands them to the threads that serve them, in turn.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use actix::ArbiterHandle;
use actix_service::{Service, ServiceFactory};
use actix_web::rt;
use sophie_actors::repeated::Reminder;
use tokio::net;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep};

use super::AppError;
use crate::line::{Line, Places, UNSEEN};

/// How long after an error that is not one connection's: none of them goes away at once.
const PAUSE: Duration = Duration::from_millis(200);

/// How often it is looked whether those who were sent away have gone.
const GOING: Duration = Duration::from_millis(1);

/// Of one listener.
pub(super) struct Acceptor {
    listener: TcpListener,
    address: SocketAddr,
    places: Places,
    threads: Vec<mpsc::Sender<Accepted>>,
}

/// A connection, and its share of those that nobody has looked at yet.
struct Accepted {
    stream: TcpStream,
    unseen: OwnedSemaphorePermit,
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
        let start = |thread: &ArbiterHandle| {
            let (hand, handed) = mpsc::channel(UNSEEN);
            let (service, places) = (service.clone(), places.clone());
            thread.spawn_fn(move || _ = rt::spawn(serve(handed, service, places, head_within)));
            hand
        };
        Self { listener, address, places: places.clone(), threads: threads.iter().map(start).collect() }
    }

    /// Takes connections until it is dropped, or for the reason that is returned.
    pub(super) async fn run(self) -> AppError {
        let Self { listener, address, places: all, threads } = self;
        let taken = listener.set_nonblocking(true).and_then(|()| net::TcpListener::from_std(listener));
        let listener = match taken {
            Ok(listener) => listener,
            Err(error) => return AppError::Listen { address, error },
        };
        let (places, mut reminder) = (Arc::new(Semaphore::new(UNSEEN)), Reminder::default());
        for turn in (0..threads.len()).cycle() {
            // While there are so many, more wait in the kernel.
            let Ok(unseen) = places.clone().acquire_owned().await else { break };
            // A thread that is late holds the descriptors of those who were sent away for newer ones at another: there are not so many.
            let until = Instant::now() + PAUSE;
            while all.going() > UNSEEN && Instant::now() < until {
                sleep(GOING).await;
            }
            let stream = loop {
                match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
                    Ok(stream) => break stream,
                    Err(error) if is_of_one_connection(&error) => {}
                    Err(error) => {
                        if reminder.is_due(Instant::now()) {
                            log::error!(
                                event = "connections_not_accepted", address:%, error:%;
                                "new connections cannot be accepted, it is tried again"
                            );
                        }
                        sleep(PAUSE).await;
                    }
                }
            };
            let (before, after) = threads.split_at(turn);
            // One that is busy with something long is not given more meanwhile.
            let Some(thread) = after.iter().chain(before).min_by_key(|thread| UNSEEN - thread.capacity()) else {
                break;
            };
            // There is room: no more are on their way than there are places.
            if thread.try_send(Accepted { stream, unseen }).is_err() {
                break;
            }
        }
        AppError::Server(address)
    }
}

/// Whether the client was gone before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Serves what this thread is handed.
async fn serve<S>(
    mut handed: mpsc::Receiver<Accepted>,
    service: impl FnOnce() -> S,
    places: Places,
    head_within: Duration,
) where
    S: ServiceFactory<(Line, Option<SocketAddr>), Config = ()>,
    S::Service: 'static,
    S::Error: std::fmt::Debug,
{
    let Ok(service) = service().new_service(()).await else { return };
    while let Some(Accepted { stream, unseen }) = handed.recv().await {
        // Non-blocking since it was accepted.
        let stream = match net::TcpStream::from_std(stream) {
            Ok(stream) => stream,
            Err(error) => {
                log::debug!(error:%; "a connection was not taken");
                continue;
            }
        };
        let peer = stream.peer_addr().ok();
        let line = Line::new(stream, peer, &places, head_within);
        let mut served = Box::pin(service.call((line, peer)));
        let mut unseen = Some(unseen);
        rt::spawn(async move {
            let served = poll_fn(|cx| {
                let polled = served.as_mut().poll(cx);
                unseen = None;
                polled
            });
            if let Err(error) = served.await {
                log::debug!(address:? = peer, error:?; "a connection ended with an error");
            }
        });
    }
}
