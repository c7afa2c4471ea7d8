//! A connection over real sockets, with a receiver that says again what it is told.

use actix_web::rt;
use socket2::SockRef;
use sophie_actors::protocol::CloseCode;
use sophie_actors::socket::OutboxLimits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio::time::timeout;

use super::super::heads::Opcode;
use super::*;
use crate::line::{Line, Places};

const SOON: Duration = Duration::from_secs(20);
const LIMITS: OutboxLimits = OutboxLimits { bytes: 1 << 20, frames: 1_000, age: SOON };

struct Echo;

impl Receiver for Echo {
    fn text(&mut self, text: &str, out: &mut Unsent) {
        out.say(Opcode::Text, text.as_bytes());
    }

    fn closed(&mut self, _: Option<CloseCode>) {}
}

/// Two ends of a stream.
async fn stream() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connected");
    (client, listener.accept().await.expect("accepted").0)
}

/// A client's end of a connection, and the server's handle of it.
async fn connected() -> (TcpStream, SocketHandle) {
    let (client, server) = stream().await;
    (client, carry(server, Worker::start()))
}

/// Has a thread's worker carry the server's end of a stream; returns the handle of it.
fn carry(server: TcpStream, worker: Rc<Worker>) -> SocketHandle {
    let raw = Raw::of(Line::new(server, None, &Places::new(10, 0, Vec::new()), SOON), &[]);
    let wire = raw.wire.clone();
    let handle = SocketHandle::new(LIMITS, Some(worker.bell()), move || wire.cut());
    let allowed = Allowed { bytes: 1 << 20, binary: false, compressed: false };
    let options = Options { allowed, heartbeat: None, deflate: None };
    rt::spawn(Connection::new(raw, handle.clone(), Echo, worker, options));
    handle
}

/// A masked text, by a mask of zeros.
fn text(payload: &[u8]) -> Vec<u8> {
    let head = [&[0x81, 0x80 | 127][..], &(payload.len() as u64).to_be_bytes(), &[0; 4]].concat();
    [&head, payload].concat()
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(SOON, LocalSet::new().run_until(what)).await.expect("in time")
}

#[tokio::test]
async fn an_answer_as_large_as_may_wait_does_not_silence_the_client_for_good() {
    within(async {
        let (mut client, _handle) = connected().await;
        for length in [65_530, 65_535, 65_536, 200_000] {
            client.write_all(&text(&vec![b'x'; length])).await.expect("sent");
            let mut answer = vec![0; length + if length < 65_536 { 4 } else { 10 }];
            client.read_exact(&mut answer).await.expect("an answer");
            assert!(answer.ends_with(b"xx"));
        }
        client.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await.expect("said goodbye");
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.expect("the end");
        assert_eq!(rest, [0x88, 0]);
    })
    .await;
}

#[tokio::test]
async fn what_waits_comes_in_order_with_what_is_said_at_once_and_then_the_goodbye() {
    within(async {
        let (mut client, handle) = connected().await;
        for n in 0..100 {
            handle.push(n.to_string().into());
        }
        handle.close(CloseCode::Draining);
        let mut all = Vec::new();
        // It does not answer the goodbye, and is not waited for.
        client.read_to_end(&mut all).await.expect("the end");
        let mut expected: Vec<u8> = Vec::new();
        for n in 0..100 {
            let text = n.to_string();
            expected.extend([0x81, text.len() as u8]);
            expected.extend(text.as_bytes());
        }
        assert!(all.starts_with(&expected), "{all:?}");
        let goodbye = &all[expected.len()..];
        assert_eq!((goodbye[0], &goodbye[2..4]), (0x88, &4001_u16.to_be_bytes()[..]));
        assert!(handle.is_gone());
    })
    .await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_closed_as_slow_and_cut() {
    within(async {
        let (client, handle) = connected().await;
        // More than the kernel takes for a client that does not read.
        while handle.push("x".repeat(100_000).into()) {
            tokio::task::yield_now().await;
        }
        assert_eq!(handle.closing(), Some(CloseCode::Slow));
        while !handle.is_gone() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        drop(client);
    })
    .await;
}

#[tokio::test]
async fn what_a_broken_connection_did_not_take_comes_to_nobody_else() {
    within(async {
        let worker = Worker::start();
        let (_open, broken) = stream().await;
        // Each write to it fails, and nothing is read that could end it before.
        SockRef::from(&broken).shutdown(std::net::Shutdown::Write).expect("shut");
        let broken = carry(broken, worker.clone());
        let (mut client, whole) = stream().await;
        let whole = carry(whole, worker);
        broken.push("for somebody else".into());
        while !broken.is_gone() {
            tokio::task::yield_now().await;
        }
        whole.push("for you".into());
        let mut read = [0; 9];
        client.read_exact(&mut read).await.expect("a frame");
        assert_eq!(&read, b"\x81\x07for you");
    })
    .await;
}
