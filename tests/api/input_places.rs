//! Connections: how many there are, what each takes, and who still gets one when there are too many.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::support::{Broker, Mode, RawClient, RawHttp, SOON, TestApp, TestSocket, eventually};

const LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
const PAGE: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// A head whose body never comes.
const HALF: &str = "POST /api/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n";

/// The bound that was said at start.
fn said(broker: &Broker) -> usize {
    let log = broker.log();
    let said: Vec<&str> =
        log.lines().filter_map(|line| line.split_once("event=places connections=")).map(|(_, it)| it).collect();
    assert_eq!(said.len(), 1, "once: {log}");
    said[0].split(' ').next().expect("a number").parse().expect("a number")
}

/// Waits until somebody who comes is served.
async fn served(since: &str, address: SocketAddr) {
    eventually(since, SOON, async || (RawHttp::to(address).await.ask(PAGE).await.status == 200).then_some(())).await;
}

#[tokio::test]
async fn three_hundred_requests_without_their_body_keep_nobody_out_and_do_not_stay() {
    let broker = Broker::with_files(512, &[("SOPHIE__SERVER__BODY_SECONDS", "3")]).await;
    let bound = said(&broker);
    assert!((300..500).contains(&bound), "{bound}");
    let mut hanging = Vec::new();
    for _ in 0..300 {
        let mut http = RawHttp::to(broker.address).await;
        http.send(HALF).await;
        hanging.push(http);
    }
    assert_eq!(RawHttp::to(broker.address).await.ask(LIVE).await.status, 200);
    TestSocket::open(broker.address, "s1", "").await.settled().await;
    for mut http in hanging {
        assert_eq!(http.response(3 * SOON).await.status, 408);
    }
}

#[tokio::test]
async fn beyond_the_bound_probes_are_answered_and_others_told_to_come_back() {
    let broker = Broker::with_files(256, &[("SOPHIE__SERVER__BODY_SECONDS", "60")]).await;
    let bound = said(&broker);
    let mut hanging = Vec::new();
    // The most that there may be, and many more that let us wait.
    for _ in 0..bound + 200 {
        let mut http = RawHttp::to(broker.address).await;
        http.send(HALF).await;
        hanging.push(http);
    }
    // Those that were accepted are dealt with one after another, by each thread its own: on a busy machine some still come after a probe.
    eventually("probes are answered one after another", SOON, async || {
        for _ in 0..20 {
            let mut probe = RawHttp::to(broker.address).await;
            probe.send(LIVE).await;
            probe.response_or_end(SOON).await?;
        }
        Some(())
    })
    .await;
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(2) {
        let mut probe = RawHttp::to(broker.address).await;
        let live = probe.ask(LIVE).await;
        assert_eq!((live.status, live.header("connection")), (200, Some("close")));
        let mut other = RawHttp::to(broker.address).await;
        let refused = other.ask(PAGE).await;
        assert_eq!((refused.status, refused.header("connection")), (503, Some("close")));
        assert!(refused.header("retry-after").is_some());
        assert_eq!(refused.json()["error"]["code"], "overloaded");
    }
    let v1 = RawHttp::to(broker.address).await.ask("GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!((v1.status, v1.json()["error"]["type"].as_str()), (503, Some("server_error")));
    assert_eq!(broker.log().matches("event=all_places_taken").count(), 1);
    hanging.truncate(bound / 2);
    served("half of the places are free", broker.address).await;
}

#[tokio::test]
async fn a_burst_far_beyond_the_descriptors_is_refused_at_once_and_none_runs_out() {
    rlimit::increase_nofile_limit(u64::MAX).expect("a limit");
    let broker = Broker::with_files(256, &[]).await;
    for _ in 0..3 {
        // All at the same moment, and none of them says anything.
        let burst = (0..3_000).map(|_| TcpStream::connect(broker.address));
        let burst: Vec<_> = futures_util::future::join_all(burst).await.into_iter().filter_map(Result::ok).collect();
        assert!(burst.len() > 1_000, "{} connections", burst.len());
        let refused = RawHttp::to(broker.address).await.ask(PAGE).await;
        assert_eq!((refused.status, refused.header("retry-after").is_some()), (503, true));
        assert_eq!(RawHttp::to(broker.address).await.ask(LIVE).await.status, 200);
        drop(burst);
    }
    served("they are gone", broker.address).await;
    let log = broker.log();
    assert!(!log.contains("Too many open files"), "{log}");
    assert_eq!(log.matches("event=all_places_taken").count(), 1, "{log}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_takes_one_descriptor() {
    let broker = Broker::start(0, &[]).await;
    let open = || std::fs::read_dir(format!("/proc/{}/fd", broker.pid())).expect("a process").count();
    drop(RawClient::open(broker.address, "first").await);
    let before = open();
    let mut sockets = Vec::new();
    for n in 0..50 {
        sockets.push(TestSocket::open(broker.address, &format!("s{n}"), "").await);
    }
    let more = open() - before;
    assert!(more <= 55, "{more} descriptors for 50 connections");
}

#[tokio::test]
async fn an_address_may_be_given_a_bound_of_its_own() {
    let of_two = ("SOPHIE__SERVER__ADDRESS_CONNECTIONS", "2");
    let limited = ("SOPHIE__LIMITS__ENABLED", "true");
    let app = TestApp::patient(Mode::Memory, &[of_two, limited]).await;
    let (one, two) = (app.open("s1").await, app.open("s2").await);
    let refused = RawHttp::to(app.address()).await.ask(PAGE).await;
    assert_eq!((refused.status, refused.header("retry-after").is_some()), (429, true));
    assert_eq!(RawHttp::to(app.address()).await.ask(LIVE).await.status, 200, "probes are not counted out");
    drop((one, two));
    served("both places are given back", app.address()).await;

    // Behind a proxy clients count, not the proxy.
    let proxied =
        TestApp::patient(Mode::Memory, &[of_two, limited, ("SOPHIE__SERVER__TRUSTED_PROXIES", "127.0.0.1")]).await;
    let open = |client: &str, session: &str| {
        let mut request = TestSocket::request(proxied.address(), session, "");
        request.headers_mut().insert("x-forwarded-for", client.parse().expect("a value"));
        request
    };
    let mut kept = Vec::new();
    for (client, session) in [("192.0.2.1", "a"), ("192.0.2.1", "b"), ("192.0.2.2", "c")] {
        kept.push(TestSocket::open_by(open(client, session)).await);
    }
    match tokio_tungstenite::connect_async(open("192.0.2.1", "d")).await {
        Err(tokio_tungstenite::tungstenite::Error::Http(refused)) => assert_eq!(refused.status(), 429),
        other => panic!("{other:?}"),
    }
    drop(kept);

    // Without limits there is none.
    let app = TestApp::patient(Mode::Memory, &[of_two]).await;
    let _many = [app.open("s1").await, app.open("s2").await, app.open("s3").await];
}
