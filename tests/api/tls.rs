//! Chats and requests over TLS, by clients who know nothing of this program.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use serde_json::json;
use sophie_kit::HeldPort;

use crate::support::{Answer, Broker, Client, SOON, Secure, eventually, until};

/// What curl makes of a path: its exit code and the status.
fn curl(secure: &Secure, path: &str, more: &[&str]) -> (Option<i32>, String) {
    let authority = secure.dir().join("authority.pem");
    std::fs::write(&authority, secure.authority.pem()).expect("written");
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--noproxy", "*", "--output", "/dev/null", "--write-out", "%{http_code}", "--cacert"]);
    curl.arg(authority).args(more).arg(secure.url(path));
    let output = curl.output().expect("curl is there");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn a_chat_works_whole_over_tls() {
    let secure = Secure::start(&[]).await;
    let (mut one, mut two) = (secure.open("s1").await, secure.open("s1").await);
    assert_eq!(one.say("m1", "hello").await["type"], "ack");
    assert_eq!(two.event_of("message").await["message"]["text"], "hello");
    let answer = Answer::to(&mut one, "q", "What is over there?").await;
    assert_eq!(answer.end["type"], "answer.end");
    // The longest that may be, there and back: more than one record, and more than the buffers of both sides take at once.
    for n in 0..20 {
        let text = format!("{n}{}", "ю".repeat(15_000));
        assert_eq!(one.say(&format!("long{n}"), &text).await["type"], "ack");
        while two.event_of("message").await["message"]["text"] != text {}
    }
    drop(two);
    let (status, _) = https(&secure, "/health/ready").await;
    assert_eq!(status, 200);
    assert!(secure.broker.log().contains("chat_page=https://"), "{}", secure.broker.log());
}

#[tokio::test]
async fn a_drain_says_goodbye_over_tls() {
    // Goodbye is said before the drain is over, though the machine pauses.
    let mut secure = Secure::start(&[("SOPHIE__SERVER__DRAIN_SECONDS", "5")]).await;
    let mut socket = secure.open("s1").await;
    secure.broker.signal("-TERM");
    let closing = socket.closing().await;
    assert_eq!((&closing["code"], &closing["reconnect"]), (&json!(4001), &json!(true)));
    assert_eq!(secure.broker.wait(SOON * 2).0, Some(0));
}

#[tokio::test]
async fn requests_come_over_both_versions_of_tls_and_http_1_alone() {
    let secure = Secure::start(&[]).await;
    for version in [&["--tlsv1.3"][..], &["--tlsv1.2", "--tls-max", "1.2"], &["--http2"], &[]] {
        assert_eq!(curl(&secure, "/", version), (Some(0), "200".to_owned()), "{version:?}");
    }
    let refused = curl(&secure, "/", &["--tls-max", "1.1", "--ciphers", "DEFAULT:@SECLEVEL=0"]);
    assert_eq!(refused, (Some(35), "000".to_owned()), "older than 1.2");
    let trusting = secure.trusting();
    let spoken = trusting.speaking("http/1.1").connect(secure.address(), "localhost").await.expect("a handshake");
    assert_eq!(spoken.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let none = trusting.connect(secure.address(), "localhost").await.expect("a handshake");
    assert_eq!(none.get_ref().1.alpn_protocol(), None);
    let other = trusting.speaking("h2").connect(secure.address(), "localhost").await;
    assert!(other.is_err_and(|error| error.to_string().contains("NoApplicationProtocol")));
}

#[tokio::test]
async fn operators_have_a_port_without_tls() {
    let held = HeldPort::free();
    let admin = format!("127.0.0.1:{}", held.number());
    let secure = Secure::start(&[("SOPHIE__ADMIN__BIND", &admin)]).await;
    let http = Client::new();
    // The public one is there a moment before it.
    let live = eventually("operators are answered", SOON, async || {
        http.get(format!("http://{admin}/health/live")).send().await.ok()
    })
    .await;
    assert_eq!(live.status(), 200);
    assert_eq!(https(&secure, "/health/live").await.0, 404, "not public");
}

/// What the container's health check says of a program.
fn is_healthy(address: SocketAddr, environment: &[(&str, &str)]) -> bool {
    let mut check = Command::new("bash");
    check
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/healthcheck.sh"))
        .env("SOPHIE__SERVER__BIND", address.to_string());
    check.envs(environment.iter().copied()).stderr(Stdio::null()).status().expect("bash is there").success()
}

/// It is healthy once it is asked often enough: a check waits for two seconds at most, and a machine may pause for longer.
async fn healthy(address: SocketAddr, environment: &[(&str, &str)]) {
    until("healthy", SOON, || is_healthy(address, environment)).await;
}

#[tokio::test]
async fn the_health_check_of_the_container_knows_of_tls() {
    let tls = ("SOPHIE__SERVER__TLS_CERT", "cert.pem");
    let (secure, plain) = (Secure::start(&[]).await, Broker::start(0, &[]).await);
    healthy(secure.address(), &[tls]).await;
    assert!(!is_healthy(secure.address(), &[]), "without TLS nothing is answered");
    healthy(plain.address, &[]).await;
    // Operators have no TLS.
    let admin = ("SOPHIE__ADMIN__BIND", plain.address.to_string());
    healthy(secure.address(), &[tls, (admin.0, &admin.1)]).await;
    secure.broker.signal("-STOP");
    assert!(!is_healthy(secure.address(), &[tls]), "who does not answer in time is not healthy");
}

/// A `GET` by a client who trusts the authority: status and text.
async fn https(secure: &Secure, path: &str) -> (u16, String) {
    let root = reqwest::Certificate::from_pem(secure.authority.pem().as_bytes()).expect("a certificate");
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().expect("a client");
    let response = http.get(secure.url(path)).send().await.expect("a response");
    (response.status().as_u16(), response.text().await.expect("text"))
}
