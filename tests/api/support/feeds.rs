//! A proxy before a Redis that knows which connections hear others, and can make those deaf.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::proxy::Open;
use super::{SOON, until};

/// What connections that subscribe to something hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    /// Everything.
    Good,
    /// They are closed, and so are new ones.
    Cut,
    /// The proxy ends.
    Over,
}

/// The proxy. It has a thread of its own, so that a test that waits for something slows nothing down.
pub struct Feeds {
    /// Where it listens.
    pub port: u16,
    hearing: watch::Sender<Hearing>,
    /// How many connections hear others.
    hearers: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Feeds {
    /// Before a port of this machine.
    pub fn before(target: u16) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (hearing, watched) = watch::channel(Hearing::Good);
        let hearers = Arc::<AtomicUsize>::default();
        let counted = hearers.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(serve(listener, target, watched, counted));
        });
        Self { port, hearing, hearers, thread: Some(thread) }
    }

    /// The URL of the first database behind it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// From now on. Returns when those that are to be cut are cut, and have had the time to notice.
    pub async fn set(&self, hearing: Hearing) {
        self.hearing.send_replace(hearing);
        if hearing == Hearing::Cut {
            until("nobody hears", SOON, || self.hearers.load(Ordering::Acquire) == 0).await;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

impl Drop for Feeds {
    fn drop(&mut self) {
        self.hearing.send_replace(Hearing::Over);
        _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn serve(
    listener: std::net::TcpListener,
    target: u16,
    hearing: watch::Receiver<Hearing>,
    hearers: Arc<AtomicUsize>,
) {
    let mut end = hearing.clone();
    listener.set_nonblocking(true).expect("set");
    let listener = TcpListener::from_std(listener).expect("a listener");
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (client, _) = accepted.expect("a connection");
                tokio::spawn(carry(client, target, hearing.clone(), hearers.clone()));
            }
            _ = end.wait_for(|now| *now == Hearing::Over) => return,
        }
    }
}

async fn carry(
    client: TcpStream,
    target: u16,
    mut hearing: watch::Receiver<Hearing>,
    hearers: Arc<AtomicUsize>,
) -> io::Result<()> {
    // Counted before everything else of this connection, so that it is counted until all of that has gone.
    let mut hearer = None;
    let server = TcpStream::connect(("127.0.0.1", target)).await?;
    _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (hears, mut heard) = watch::channel(false);
    let is_good = hearing.clone();
    let asks = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = from_client.read(&mut buffer).await?;
            if count == 0 {
                return io::Result::Ok(());
            }
            if buffer[..count].windows(9).any(|part| part.eq_ignore_ascii_case(b"SUBSCRIBE")) {
                hearer.get_or_insert_with(|| Open::of(&hearers));
                hears.send_replace(true);
                // The server is not even to count it.
                if *is_good.borrow() != Hearing::Good {
                    return Ok(());
                }
            }
            to_server.write_all(&buffer[..count]).await?;
        }
    };
    let cut = async {
        _ = heard.wait_for(|hears| *hears).await;
        _ = hearing.wait_for(|now| *now != Hearing::Good).await;
    };
    tokio::select! {
        _ = asks => {}
        _ = copy(&mut from_server, &mut to_client) => {}
        () = cut => {}
    }
    Ok(())
}
