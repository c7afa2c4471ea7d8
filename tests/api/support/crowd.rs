//! A crowd of clients that mean harm, each in its own way, on a thread of its own. Each comes back two seconds after it was thrown out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

use super::RawClient;

/// How long one that was thrown out stays away.
const COMES_BACK: Duration = Duration::from_secs(2);
/// Over how long they arrive.
const ARRIVAL: Duration = Duration::from_secs(4);
/// Clients of one address.
const OF_AN_ADDRESS: usize = 20;

/// What one of them does.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Asks much and reads nothing.
    Deaf,
    /// Sends a byte of a frame a second.
    Drip,
    /// Sends a byte of a head a second.
    Head,
    /// Sends the head of a request and never its body.
    Body,
    /// Says nothing at all.
    Silent,
    /// Sends commands as fast as they are taken.
    Flood,
    /// Sends the largest frame byte by byte.
    Pieces,
    /// Enters and leaves a group for ever.
    Restless,
    /// Closes its half of the connection.
    Half,
    /// Opens sockets and breaks them off.
    Breaks,
}

const KINDS: [Kind; 10] = [
    Kind::Deaf,
    Kind::Drip,
    Kind::Head,
    Kind::Body,
    Kind::Silent,
    Kind::Flood,
    Kind::Pieces,
    Kind::Restless,
    Kind::Half,
    Kind::Breaks,
];

/// The crowd. It is quiet until it is let loose, and gone when it is dropped.
pub struct Crowd {
    loose: watch::Sender<bool>,
    connects: Arc<AtomicUsize>,
    connected: Arc<AtomicUsize>,
    over: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// Counts while it lives.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Crowd {
    /// So many, of all kinds alike, who come to an address through a proxy that is believed.
    pub fn of(many: usize, address: SocketAddr) -> Self {
        let (loose, over) = (watch::Sender::new(false), watch::Sender::new(false));
        let (connects, connected) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (watched, mut ends) = (loose.subscribe(), over.subscribe());
        let (all, now) = (connects.clone(), connected.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                for number in 0..many {
                    let share = number as f64 / many as f64;
                    let one = One { number, share, address, all: all.clone(), now: now.clone() };
                    tokio::spawn(one.live(watched.clone()));
                }
                _ = ends.wait_for(|over| *over).await;
            });
        });
        Self { loose, connects, connected, over, thread: Some(thread) }
    }

    /// From now on they do what they do; or leave, each at once.
    pub fn let_loose(&self, loose: bool) {
        self.loose.send_replace(loose);
    }

    /// How often one of them has connected.
    pub fn connects(&self) -> usize {
        self.connects.load(Ordering::Relaxed)
    }

    /// How many of them are connected.
    pub fn connected(&self) -> usize {
        self.connected.load(Ordering::Relaxed)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.over.send_replace(true);
        _ = self.thread.take().map(JoinHandle::join);
    }
}

/// One of them.
struct One {
    number: usize,
    /// Which part of them is there before it.
    share: f64,
    address: SocketAddr,
    all: Arc<AtomicUsize>,
    now: Arc<AtomicUsize>,
}

impl One {
    async fn live(self, mut loose: watch::Receiver<bool>) {
        while loose.wait_for(|loose| *loose).await.is_ok() {
            let visits = async {
                sleep(ARRIVAL.mul_f64(self.share)).await;
                loop {
                    self.visit().await;
                    sleep(COMES_BACK).await;
                }
            };
            tokio::select! {
                () = visits => {}
                () = quiet(&mut loose) => {}
            }
        }
    }

    /// One visit, until it is thrown out. None if it was not let in.
    async fn visit(&self) -> Option<()> {
        let mut stream = self.connect().await?;
        self.all.fetch_add(1, Ordering::Relaxed);
        self.now.fetch_add(1, Ordering::Relaxed);
        let _counted = Counted(self.now.clone());
        match KINDS[self.number % KINDS.len()] {
            Kind::Deaf => {
                self.open(&mut stream).await?;
                let asked = RawClient::frame(0x81, br#"{"type":"history.get","id":"h"}"#).repeat(20);
                stream.write_all(&asked).await.ok()?;
                std::future::pending().await
            }
            Kind::Drip => {
                self.open(&mut stream).await?;
                stream.write_all(&RawClient::head(0x81, 10_000)).await.ok()?;
                drip(&mut stream, Duration::from_secs(1)).await
            }
            Kind::Head => {
                stream.write_all(b"GET / HTTP/1.1\r\nx: ").await.ok()?;
                drip(&mut stream, Duration::from_secs(1)).await
            }
            Kind::Body => {
                let head = "POST /api/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n";
                stream.write_all(head.as_bytes()).await.ok()?;
                rest(&mut stream).await
            }
            Kind::Silent => rest(&mut stream).await,
            Kind::Flood => {
                self.open(&mut stream).await?;
                let many = RawClient::frame(0x81, br#"{"type":"ping"}"#).repeat(200);
                let (mut read, mut write) = stream.split();
                let flood = async { while write.write_all(&many).await.is_ok() {} };
                tokio::join!(flood, rest(&mut read));
                Some(())
            }
            Kind::Pieces => {
                self.open(&mut stream).await?;
                stream.write_all(&RawClient::head(0x81, 200_000)).await.ok()?;
                drip(&mut stream, Duration::from_millis(20)).await
            }
            Kind::Restless => {
                self.open(&mut stream).await?;
                let both = ["join", "leave"].map(|kind| {
                    let command = format!("{{\"type\":\"group.{kind}\",\"id\":\"{kind}\",\"group\":\"restless\"}}");
                    RawClient::frame(0x81, command.as_bytes())
                });
                let (mut read, mut write) = stream.split();
                let turns = async {
                    while write.write_all(&both.concat()).await.is_ok() {
                        sleep(Duration::from_millis(10)).await;
                    }
                };
                tokio::select! {
                    () = turns => Some(()),
                    ended = rest(&mut read) => ended,
                }
            }
            Kind::Half => {
                self.open(&mut stream).await?;
                stream.shutdown().await.ok()?;
                rest(&mut stream).await
            }
            Kind::Breaks => {
                self.open(&mut stream).await?;
                stream.set_zero_linger().ok()
            }
        }
    }

    async fn connect(&self) -> Option<TcpStream> {
        let socket = TcpSocket::new_v4().ok()?;
        // As small a window as there is, for those who do not read.
        socket.set_recv_buffer_size(2_048).ok()?;
        let stream = socket.connect(self.address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        Some(stream)
    }

    /// Opens a WebSocket; none if that is refused.
    async fn open(&self, stream: &mut TcpStream) -> Option<()> {
        let (number, place) = (self.number, self.number / OF_AN_ADDRESS);
        let request = format!(
            "GET /ws/chat/bad-{number} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Forwarded-For: 192.0.2.{place}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        head.starts_with(b"HTTP/1.1 101").then_some(())
    }
}

/// Waits until they are to be quiet.
async fn quiet(loose: &mut watch::Receiver<bool>) {
    _ = loose.wait_for(|loose| !*loose).await;
}

/// Sends a byte, and the next one after a while.
async fn drip(stream: &mut TcpStream, pause: Duration) -> Option<()> {
    loop {
        stream.write_all(b"x").await.ok()?;
        sleep(pause).await;
    }
}

/// Reads until the connection ends.
async fn rest(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<()> {
    let mut part = vec![0; 4_096];
    while let Ok(1..) = stream.read(&mut part).await {}
    Some(())
}
