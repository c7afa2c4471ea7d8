//! Who comes to a port with TLS and does not mean to speak it, or comes when there is no place.

use std::net::SocketAddr;
use std::time::Duration;

use sophie_kit::HeldPort;
use sophie_kit::certificates::Authority;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Client, SOON, Secure, eventually};

/// The first bytes of a client's hello: a record of 512 bytes is announced.
const HELLO: [u8; 9] = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc];

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("connected")
}

/// Waits for the end of a connection: what came before it.
async fn rest(stream: &mut TcpStream, within: Duration) -> Vec<u8> {
    let (mut rest, mut part) = (Vec::new(), [0; 4_096]);
    loop {
        match timeout(within, stream.read(&mut part)).await.expect("it is closed in time") {
            Ok(0) | Err(_) => return rest,
            Ok(read) => rest.extend_from_slice(&part[..read]),
        }
    }
}

/// Takes all places that there are, and a few more.
async fn fill(secure: &Secure) -> Vec<TcpStream> {
    let line = secure.logged("event=places connections=").await;
    let bound = line.split_once("connections=").and_then(|(_, rest)| rest.split(' ').next()).expect("a number");
    let mut taken = Vec::new();
    for _ in 0..bound.parse::<usize>().expect("a number") + 5 {
        taken.push(connect(secure.address()).await);
    }
    secure.logged("event=all_places_taken").await;
    taken
}

#[tokio::test]
async fn a_handshake_that_is_never_finished_is_closed_in_time_and_delays_nobody() {
    let secure = Secure::start(&[]).await;
    let since = Instant::now();
    let mut silent = Vec::new();
    for n in 0..200 {
        let mut stream = connect(secure.address()).await;
        // Some say nothing, some begin.
        stream.write_all(&HELLO[..n % HELLO.len()]).await.expect("sent");
        silent.push(stream);
    }
    // One sends a byte now and then, which gains it nothing.
    let mut dripping = connect(secure.address()).await;
    dripping.write_all(&HELLO).await.expect("sent");
    let (mut read, mut write) = dripping.into_split();
    let drip = tokio::spawn(async move {
        while write.write_all(&[0]).await.is_ok() {
            sleep(Duration::from_millis(200)).await;
        }
    });
    assert!(since.elapsed() < Duration::from_secs(8), "all are there before the first has to go");
    secure.open("s1").await.settled().await;
    for stream in &mut silent {
        rest(stream, 2 * SOON).await;
    }
    let mut bytes = Vec::new();
    _ = timeout(SOON, read.read_to_end(&mut bytes)).await.expect("it is closed in time");
    assert!(since.elapsed() >= Duration::from_secs(9), "they had their time: {:?}", since.elapsed());
    timeout(SOON, drip).await.expect("it ends").expect("no panic");
}

#[tokio::test]
async fn who_speaks_something_else_is_closed_at_once() {
    let secure = Secure::start(&[]).await;
    for said in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        b"\r\n\r\n\r\n\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &[0xff; 64],
        // A record that says it is longer than records are.
        &[0x16, 0x03, 0x01, 0xff, 0xff, 1, 2, 3],
        // An alert before anything else.
        &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28],
    ] {
        let mut stream = connect(secure.address()).await;
        stream.write_all(said).await.expect("sent");
        let since = Instant::now();
        let answer = rest(&mut stream, SOON).await;
        // No more than an alert.
        assert!(answer.len() <= 7 && answer.first().is_none_or(|kind| *kind == 0x15), "{said:?}: {answer:?}");
        // And not only when the time for a handshake is over.
        assert!(since.elapsed() < Duration::from_secs(8), "{said:?}");
    }
    secure.open("s1").await.settled().await;
}

#[tokio::test]
async fn who_has_no_place_costs_no_handshake() {
    let authority = Authority::new("one");
    let issued = authority.issue(&["localhost"], 30);
    let held = HeldPort::free();
    let admin = format!("127.0.0.1:{}", held.number());
    let secure = Secure::with_files(authority, issued, 256, &[("SOPHIE__ADMIN__BIND", &admin)]).await;
    let taken = fill(&secure).await;
    let trusting = secure.trusting();
    // One place is given back late: by who looked whether the program listens.
    let mut late = Vec::new();
    while let Ok(stream) = trusting.connect(secure.address(), "localhost").await {
        late.push(stream);
        assert!(late.len() < 5, "there are places");
    }
    for _ in 0..20 {
        let mut stream = connect(secure.address()).await;
        _ = stream.write_all(&HELLO).await;
        assert!(rest(&mut stream, SOON / 2).await.is_empty(), "not even an alert");
    }
    assert_eq!(secure.broker.log().matches("event=all_places_taken").count(), 1);
    // Probes have a listener of their own, whose places are counted with these.
    let http = Client::new();
    let live = http.get(format!("http://{admin}/health/live")).send().await.expect("a response");
    assert_eq!(live.status(), 200);
    drop((taken, late));
    eventually("there is room again", SOON, async || {
        trusting.connect(secure.address(), "localhost").await.is_ok().then_some(())
    })
    .await;
    secure.open("s1").await.settled().await;
}

#[tokio::test]
async fn beyond_the_bound_probes_are_answered_over_tls_where_they_have_no_other_listener() {
    let authority = Authority::new("one");
    let issued = authority.issue(&["localhost"], 30);
    let secure = Secure::with_files(authority, issued, 256, &[]).await;
    let _taken = fill(&secure).await;
    let ask = async |path: &str| {
        let mut stream = secure.trusting().connect(secure.address(), "localhost").await.expect("a handshake");
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = vec![0; 12];
        timeout(SOON, stream.read_exact(&mut answer)).await.expect("in time").expect("an answer");
        (stream, String::from_utf8_lossy(&answer).into_owned())
    };
    // One place is given back late, as above.
    let mut late = Vec::new();
    while let (stream, answer) = ask("/").await
        && answer != "HTTP/1.1 503"
    {
        assert_eq!(answer, "HTTP/1.1 200");
        late.push(stream);
        assert!(late.len() < 5, "there are places");
    }
    assert_eq!(ask("/health/live").await.1, "HTTP/1.1 200");
}

#[tokio::test]
async fn an_address_with_as_many_connections_as_it_may_have_costs_no_handshake() {
    let limits = [("SOPHIE__SERVER__ADDRESS_CONNECTIONS", "2"), ("SOPHIE__LIMITS__ENABLED", "true")];
    let secure = Secure::start(&limits).await;
    // One place is given back late, as above.
    let trusting = secure.trusting();
    let both = eventually("both places", SOON, async || {
        let one = trusting.connect(secure.address(), "localhost").await.ok()?;
        Some((one, trusting.connect(secure.address(), "localhost").await.ok()?))
    })
    .await;
    let mut third = connect(secure.address()).await;
    _ = third.write_all(&HELLO).await;
    assert!(rest(&mut third, SOON / 2).await.is_empty(), "not even an alert");
    drop(both);
    eventually("both places are given back", SOON, async || {
        trusting.connect(secure.address(), "localhost").await.is_ok().then_some(())
    })
    .await;
}
