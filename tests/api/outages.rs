//! What somebody who is called at night needs to see: each outage is told by one line of the log, or by readiness, with the place and the
//! reason, and nobody has to guess. The process is the real one, its log what it wrote to its standard error.

use std::time::Duration;

use serde_json::{Value, json};
use sophie_kit::HeldPort;
use sophie_kit::ai_server::{AiServer, Script};

use crate::support::{Broker, Handshake, JSON_LOG, JWT, SOON, TestServer, TestSocket, Token, eventually};

async fn with_redis(redis: &TestServer, more: &[(&str, &str)]) -> Broker {
    let url = redis.url(0);
    Broker::start(0, &[&[JSON_LOG, ("USE_REDIS", "true"), ("REDIS_URL", url.as_str())][..], more].concat()).await
}

/// Waits until readiness says why, in these words.
async fn until_not_ready(broker: &Broker, words: &str) {
    eventually(&format!("not ready: {words}"), SOON, async || {
        let (status, body) = broker.readiness().await;
        (status == 503 && body["reasons"].to_string().contains(words)).then_some(())
    })
    .await;
}

/// The line that says that the main database is not reached, for this reason. It is told again each minute: on a machine where
/// Redis was late before, the first one had another reason.
async fn not_reached(broker: &Broker, words: &str) -> Value {
    let fits = |line: &Value| line["database"] == "main" && line["reason"].to_string().contains(words);
    let line = async || broker.told("redis_not_reached").into_iter().find(fits);
    eventually(&format!("not reached: {words}"), 8 * SOON, line).await
}

fn holds(line: &Value, field: &str, words: &str) {
    assert!(line[field].as_str().is_some_and(|text| text.contains(words)), "{field} has no {words}: {line}");
}

#[tokio::test]
async fn a_redis_that_is_killed_is_one_line_with_its_address_and_all_that_goes_without_it() {
    let mut redis = TestServer::start();
    let broker = with_redis(&redis, &[]).await;
    eventually("ready", SOON, async || (broker.readiness().await.0 == 200).then_some(())).await;
    redis.kill();
    let line = not_reached(&broker, "Connection refused").await;
    holds(&line, "address", &format!("127.0.0.1:{}", redis.port()));
    for dependency in ["store", "limits", "slots", "flights"] {
        holds(&line, "dependencies", dependency);
    }
    until_not_ready(&broker, "Redis cannot be used: Connection refused").await;
    broker.tells("dependency_degraded", &[("dependency", json!("store")), ("state", json!("degraded"))]).await;
    redis.launch();
    let back = broker.tells("dependency_back", &[("dependency", json!("store"))]).await;
    assert!(back["degraded_seconds"].is_f64(), "{back}");
}

#[tokio::test]
async fn a_redis_that_goes_away_again_is_told_of_again() {
    let mut redis = TestServer::start();
    let broker = with_redis(&redis, &[]).await;
    for times in 1..=2 {
        eventually("ready", SOON, async || (broker.readiness().await.0 == 200).then_some(())).await;
        // A connection that is broken sooner is the same outage.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        redis.kill();
        eventually("told", SOON, async || {
            let told = broker.told("redis_not_reached");
            (told.iter().filter(|line| line["database"] == "main").count() >= times).then_some(())
        })
        .await;
        redis.launch();
    }
}

#[tokio::test]
async fn a_redis_that_hangs_for_a_moment_is_told_as_late_and_as_back() {
    let redis = TestServer::start();
    let broker = with_redis(&redis, &[]).await;
    eventually("ready", SOON, async || (broker.readiness().await.0 == 200).then_some(())).await;
    redis.freeze();
    let line = broker.tells("dependency_degraded", &[("dependency", json!("store"))]).await;
    holds(&line, "reason", "no answer in time");
    redis.thaw();
    broker.tells("dependency_back", &[("dependency", json!("store")), ("state", json!("ok"))]).await;
}

#[tokio::test]
async fn a_password_of_redis_that_was_changed_is_told_in_its_words_and_not_as_an_outage() {
    let redis = TestServer::start();
    let broker = with_redis(&redis, &[]).await;
    eventually("ready", SOON, async || (broker.readiness().await.0 == 200).then_some(())).await;
    let mut operator = redis.connection(0);
    let _: () = redis::cmd("CONFIG").arg(&["SET", "requirepass", "rotated"]).query(&mut operator).expect("set");
    let kill = ["KILL", "TYPE", "normal", "SKIPME", "yes"];
    let _: u64 = redis::cmd("CLIENT").arg(&kill).query(&mut operator).expect("killed");
    let line = not_reached(&broker, "uthentication").await;
    holds(&line, "address", &format!("127.0.0.1:{}", redis.port()));
    until_not_ready(&broker, "uthentication").await;
    // Databases are looked at once a second at most.
    let body = eventually("told of the database", SOON, async || {
        let (_, body) = broker.readiness().await;
        (body["details"]["redis"]["main"]["reachable"] == false).then_some(body)
    })
    .await;
    assert!(!body.to_string().contains("does not answer"), "it did answer: {body}");
    holds(&body["details"]["redis"]["main"], "reason", "uthentication");
}

/// Asks over a socket, and returns the line of the answer that failed.
async fn failed(broker: &Broker, session: &str) -> Value {
    let mut socket = TestSocket::open(broker.address, session, "").await;
    socket.ask("a", json!({"type": "message.send", "text": "?"})).await;
    let answer = socket.event_of("answer.error").await["answer"].clone();
    broker.tells("answer_failed", &[("answer", answer)]).await
}

#[tokio::test]
async fn an_ai_backend_that_is_away_misplaced_or_locked_is_named_with_its_url_and_its_words() {
    let held = HeldPort::free();
    let away = format!("http://127.0.0.1:{}/v1", held.number());
    let own = [JSON_LOG, ("SOPHIE__AI__BACKEND", "openai"), ("SOPHIE__AI__RETRIES", "0")];
    let broker = Broker::start(0, &[&own[..], &[("OPENAI_BASE_URL", away.as_str())]].concat()).await;
    let line = failed(&broker, "s1").await;
    assert_eq!((line["backend"].as_str(), line["code"].as_str()), (Some("openai"), Some("ai_unavailable")), "{line}");
    assert_eq!(line["url"], json!(away + "/chat/completions"));
    holds(&line, "detail", "Connection refused");

    let ai = AiServer::start().await;
    let broker = Broker::start(0, &[&ai.environment()[..], &own].concat()).await;
    let page = [("content-type", "text/plain")];
    ai.push(Script::respond(404, &page, "404 page not found"));
    let line = failed(&broker, "s1").await;
    holds(&line, "detail", "does base_url end in /v1?");
    assert_eq!(line["url"], json!(ai.base_url() + "/chat/completions"));
    ai.push(Script::refusal(404, "invalid_request_error", "model_not_found", &[]));
    holds(&failed(&broker, "s2").await, "detail", "model_not_found");
    ai.push(Script::refusal(401, "invalid_request_error", "invalid_api_key", &[]));
    let line = failed(&broker, "s3").await;
    holds(&line, "detail", "status=401");
    holds(&line, "detail", "invalid_api_key");
}

#[tokio::test]
async fn an_application_that_is_away_is_named_with_its_address_and_the_reason() {
    let held = HeldPort::free();
    let url = format!("http://127.0.0.1:{}/hook", held.number());
    let hook = [("SOPHIE__AUTH__MODE", "hook"), ("SOPHIE__AUTH__HOOK_URL", url.as_str())];
    let broker = Broker::start(0, &[&[JSON_LOG][..], &hook].concat()).await;
    let cookie = [("cookie", "sessionid=abc")];
    assert_eq!(Handshake::with(broker.address, "/ws/chat/s1", &cookie).await.status, 503);
    let line = broker.tells("dependency_degraded", &[("dependency", json!("hook"))]).await;
    holds(&line, "reason", &url);
    holds(&line, "reason", "Connection refused");
}

#[tokio::test]
async fn users_who_all_get_401_are_told_with_the_reason() {
    let broker = Broker::start(0, &[JSON_LOG, JWT[0], JWT[1]]).await;
    let forged = Token::of("alice").sign_with("the secret of the day before, long enough for one");
    assert_eq!(Handshake::with(broker.address, &format!("/ws/chat/s1?token={forged}"), &[]).await.status, 401);
    let line = broker.tells("caller_refused", &[("reason", json!("its signature is wrong"))]).await;
    assert_eq!((line["address"].as_str(), line["session"].as_str()), (Some("127.0.0.1"), Some("s1")), "{line}");
}

#[tokio::test]
async fn a_name_that_two_nodes_have_and_a_node_that_dies_are_told_by_name() {
    let redis = TestServer::start();
    let named = [("SOPHIE__SERVER__NODE", "web")];
    let first = with_redis(&redis, &named).await;
    let mut second = with_redis(&redis, &named).await;
    let line = second.tells("node_name_taken", &[("setting", json!("server.node")), ("value", json!("web"))]).await;
    assert_eq!((line["level"].as_str(), line["node"].as_str()), (Some("error"), Some("web-2")), "{line}");
    let renamed = async || first.get("/admin/api/nodes").await.1.contains("web-2").then_some(());
    eventually("known by its other name", SOON, renamed).await;
    second.signal("-KILL");
    second.wait(SOON);
    let gone = async || first.told("node_gone").into_iter().next();
    let line = eventually("told of", Duration::from_secs(30), gone).await;
    assert_eq!((&line["node"], &line["key"]), (&json!("web-2"), &second.told("node_key")[0]["key"]), "{line}");
}

#[tokio::test]
async fn nodes_that_were_without_redis_for_longer_than_their_leases_do_not_take_each_other_for_gone() {
    let redis = TestServer::start();
    let nodes = [
        with_redis(&redis, &[("SOPHIE__SERVER__NODE", "a")]).await,
        with_redis(&redis, &[("SOPHIE__SERVER__NODE", "b")]).await,
    ];
    redis.freeze();
    tokio::time::sleep(Duration::from_secs(13)).await;
    redis.thaw();
    // Two beats of each, and what they find.
    for node in &nodes {
        node.tells("dependency_back", &[("dependency", json!("store"))]).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    for node in &nodes {
        assert!(node.told("node_gone").is_empty(), "{:?}", node.told("node_gone"));
    }
}
