//! What the log says of those who are not let in: why, from where, and never what they showed.

use sophie_kit::HeldPort;

use crate::support::{Broker, Client, Handshake, JWT, SOON, TestServer, TestSocket, Token, eventually};

async fn line(broker: &Broker, of: &[&str]) -> String {
    let found = async || {
        let log = broker.log();
        let line = log.lines().find(|line| of.iter().all(|part| line.contains(part)));
        line.map(str::to_owned)
    };
    eventually(&format!("a line with {of:?}"), SOON * 2, found).await
}

async fn refused(broker: &Broker, token: &str) {
    let path = format!("/ws/chat/s1?token={token}");
    assert_eq!(Handshake::with(broker.address, &path, &[]).await.status, 401);
}

#[tokio::test]
async fn a_refused_token_is_told_with_its_reason_and_a_crowd_by_its_number() {
    let broker = Broker::start(0, &[JWT[0], JWT[1], ("SOPHIE__AUTH__AUDIENCE", "chat")]).await;
    let forged = Token::of("alice").sign_with("another secret that is long enough for a hash");
    refused(&broker, &forged).await;
    for part in ["reason=\"its signature is wrong\"", "reason=\"it is for another audience\"", "reason=\"no token\""] {
        match part {
            "reason=\"no token\"" => refused(&broker, "").await,
            part if part.contains("audience") => refused(&broker, &Token::of("alice").sign()).await,
            _ => {}
        }
        line(&broker, &["event=caller_refused", part, "address=127.0.0.1", "session=s1"]).await;
    }
    for _ in 0..30 {
        refused(&broker, &forged).await;
    }
    // The module that says it is the one that RUST_LOG picks it by.
    line(&broker, &["sophie::auth]", "event=caller_refused", "its signature is wrong", "more=30", "within_seconds=10"])
        .await;
    let log = broker.log();
    assert_eq!(log.lines().filter(|line| line.contains("its signature is wrong")).count(), 2, "{log}");
    assert!(!log.contains(&forged) && !log.contains(forged.rsplit('.').next().expect("a signature")), "{log}");
}

#[tokio::test]
async fn shut_doors_and_forgotten_proxies_are_told_once() {
    let broker = Broker::start(0, &[]).await;
    let http = Client::new();
    let ask = async |header: &str, value: &str| {
        let request = http.get(format!("http://{}/v1/models", broker.address)).header(header, value);
        assert_eq!(request.send().await.expect("sent").status(), 403);
    };
    for _ in 0..5 {
        ask("host", "evil.example").await;
        ask("x-forwarded-for", "203.0.113.5").await;
    }
    line(
        &broker,
        &["sophie::auth::doors]", "event=door_shut", "setting=server.hosts", "host=evil.example", "peer=127.0.0.1"],
    )
    .await;
    line(&broker, &["event=door_shut", "setting=server.trusted_proxies"]).await;
    line(&broker, &["event=forwarding_not_believed", "peer=127.0.0.1", "header=x-forwarded-for"]).await;
    let log = broker.log();
    let lines = |part: &str| log.lines().filter(|line| line.contains(part)).count();
    assert_eq!((lines("forwarding_not_believed"), lines("setting=server.hosts")), (1, 1), "{log}");
}

#[tokio::test]
async fn an_application_that_does_not_answer_is_named_with_the_reason() {
    let held = HeldPort::free();
    let free = held.number();
    let url = format!("http://me:hunter2@127.0.0.1:{free}/hook?key=s3cret");
    let broker = Broker::start(0, &[("SOPHIE__AUTH__MODE", "hook"), ("SOPHIE__AUTH__HOOK_URL", &url)]).await;
    let cookie = [("cookie", "sessionid=abc123")];
    assert_eq!(Handshake::with(broker.address, "/ws/chat/s1", &cookie).await.status, 503);
    let place = format!("127.0.0.1:{free}/hook");
    line(&broker, &["dependency=hook", "state=degraded", &place, "refused"]).await;
    line(&broker, &["event=caller_refused", "cannot be checked", "address=127.0.0.1", &place]).await;
    let log = broker.log();
    assert!(["hunter2", "s3cret", "abc123"].iter().all(|secret| !log.contains(secret)), "{log}");
}

#[tokio::test]
async fn sessions_that_cannot_be_opened_are_one_line_and_a_number() {
    let mut redis = TestServer::start();
    let url = redis.url(0);
    let broker = Broker::start(0, &[("USE_REDIS", "true"), ("REDIS_URL", &url)]).await;
    // It comes again where Redis answers late.
    TestSocket::open(broker.address, "s0", "").await;
    // Its port stays held: no other test's Redis is to answer there.
    redis.kill();
    for n in 0..40 {
        let refused = Handshake::with(broker.address, &format!("/ws/chat/s{}", n + 1), &[]).await;
        assert_eq!(refused.status, 503);
    }
    line(&broker, &["sophie_actors::session]", "session not opened", "more=", "within_seconds=10"]).await;
    let log = broker.log();
    assert_eq!(log.lines().filter(|line| line.contains("session not opened")).count(), 2, "{log}");
}

#[tokio::test]
async fn public_keys_without_an_audience_are_warned_of() {
    let keys = ("SOPHIE__AUTH__JWKS_URL", "http://127.0.0.1:1/jwks.json");
    let broker = Broker::start(0, &[("SOPHIE__AUTH__MODE", "jwt"), keys]).await;
    line(&broker, &["WARN", "auth.jwks_url", "auth.audience"]).await;
    let named = Broker::start(0, &[("SOPHIE__AUTH__MODE", "jwt"), keys, ("SOPHIE__AUTH__AUDIENCE", "chat")]).await;
    assert!(!named.log().contains("auth.audience"), "{}", named.log());
}
