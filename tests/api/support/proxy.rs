//! A proxy between the program and a server: it hands everything on at once, late, or not at all.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use sophie_kit::HeldPort;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::SOON;

/// What it does with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// Every reply this late; the order stays.
    Late(Duration),
    /// The port is closed, and so are the connections.
    Closed,
    /// The proxy ends.
    Over,
}

/// A port before another one. It has a thread of its own, so that a test that waits for something slows nothing down.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    passage: Arc<watch::Sender<Passage>>,
    cuts: watch::Sender<()>,
    target: Arc<AtomicU16>,
    /// How many are open: the port and the connections.
    open: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
    _held: HeldPort,
}

impl Proxy {
    /// Before a port of this machine.
    pub fn before(target: u16) -> Self {
        let held = HeldPort::free();
        let port = held.number();
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("it is held");
        let passage = Arc::new(watch::Sender::new(Passage::Late(Duration::ZERO)));
        let (watched, cuts) = (passage.subscribe(), watch::Sender::new(()));
        let cut = cuts.subscribe();
        let target = Arc::new(AtomicU16::new(target));
        let aimed = target.clone();
        let open = Arc::<AtomicUsize>::default();
        let first = Open::of(&open);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(serve(listener, first, aimed, watched, cut));
        });
        Self { port, passage, cuts, target, open, thread: Some(thread), _held: held }
    }

    /// Leads to another port, as a service's address that moves: what is connected stays where it is.
    pub fn move_to(&self, target: u16) {
        self.target.store(target, Ordering::Relaxed);
    }

    /// Cuts what is connected, once: who connects again gets through.
    pub fn cut(&self) {
        self.cuts.send_replace(());
    }

    /// From now on. Returns when what is to be closed is closed.
    pub fn set(&self, passage: Passage) {
        self.passage.send_replace(passage);
        let until = Instant::now() + SOON;
        while passage == Passage::Closed && self.open.load(Ordering::Acquire) > 0 {
            assert!(Instant::now() < until, "the proxy does not close");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(Passage::Over);
        _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A port or a connection of a proxy, counted while it is open.
pub(super) struct Open(Arc<AtomicUsize>);

impl Open {
    pub(super) fn of(all: &Arc<AtomicUsize>) -> Self {
        all.fetch_add(1, Ordering::Relaxed);
        Self(all.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

async fn serve(
    listener: std::net::TcpListener,
    first: Open,
    target: Arc<AtomicU16>,
    mut passage: watch::Receiver<Passage>,
    cut: watch::Receiver<()>,
) {
    let port = listener.local_addr().expect("bound").port();
    listener.set_nonblocking(true).expect("set");
    let all = first.0.clone();
    // What is counted goes before what counts it.
    let mut listener = Some((TcpListener::from_std(listener).expect("a listener"), first));
    loop {
        let now = *passage.borrow_and_update();
        match (now, &listener) {
            (Passage::Over, _) => return,
            (Passage::Closed, Some(_)) => listener = None,
            (Passage::Late(_), None) => {
                let bound = TcpListener::bind(("127.0.0.1", port)).await.expect("it is held");
                listener = Some((bound, Open::of(&all)));
            }
            (_, Some((open, _))) => tokio::select! {
                accepted = open.accept() => {
                    let (client, _) = accepted.expect("a connection");
                    let target = target.load(Ordering::Relaxed);
                    tokio::spawn(carry(Open::of(&all), client, target, passage.clone(), cut.clone()));
                }
                _ = passage.changed() => {}
            },
            (Passage::Closed, None) => _ = passage.changed().await,
        }
    }
}

async fn carry(
    _open: Open,
    client: TcpStream,
    target: u16,
    mut passage: watch::Receiver<Passage>,
    mut cut: watch::Receiver<()>,
) -> io::Result<()> {
    cut.mark_unchanged();
    let server = TcpStream::connect(("127.0.0.1", target)).await?;
    _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (late, mut due) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let delay = passage.clone();
    let read = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = from_server.read(&mut buffer).await?;
            let by = if let Passage::Late(by) = *delay.borrow() { by } else { Duration::ZERO };
            if count == 0 || late.send((Instant::now() + by, buffer[..count].to_vec())).is_err() {
                return io::Result::Ok(());
            }
        }
    };
    let write = async {
        while let Some((at, bytes)) = due.recv().await {
            sleep_until(at).await;
            to_client.write_all(&bytes).await?;
        }
        io::Result::Ok(())
    };
    tokio::select! {
        _ = copy(&mut from_client, &mut to_server) => {}
        _ = read => {}
        _ = write => {}
        _ = passage.wait_for(|now| !matches!(now, Passage::Late(_))) => {}
        _ = cut.changed() => {}
    }
    Ok(())
}
