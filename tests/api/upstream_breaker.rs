//! A backend that keeps failing is left out, and comes back.

use std::time::Duration;

use serde_json::json;
use sophie::upstream::Patience;
use sophie_actors::backend::Backend;
use sophie_actors::openai::{BackendRequest, Body};
use sophie_actors::protocol::ErrorCode;
use sophie_kit::ai_server::{AiServer, Script};
use tokio::time::Instant;

use crate::support::{Answer, Backends, Broker, SOON, TestSocket, eventually, hasty, member};

fn down() -> Script {
    Script::refusal(503, "", "", &[])
}

fn request() -> BackendRequest {
    let serde_json::Value::Object(body) = json!({ "model": "m" }) else { unreachable!() };
    BackendRequest::from(Body::from(body))
}

async fn due(backends: &Backends, name: &str) {
    eventually("the probe is due", SOON, || async { (backends.view(name).retry_in_ms == Some(0)).then_some(()) }).await;
}

#[tokio::test]
async fn a_backend_that_keeps_failing_is_left_out_and_a_probe_brings_it_back() {
    let (a, b) = (AiServer::start().await, AiServer::start().await);
    a.set_default(down);
    let backends = Backends::new(vec![member("a", &a), member("b", &b)]);
    let available = |name: &str| backends.figure(&format!("sophie_backend_available{{backend=\"{name}\"}}"));
    assert_eq!(available("a"), 1.0);
    for _ in 0..6 {
        assert!(backends.ask().await.done);
    }
    assert!(a.calls() < 6, "left out after two, tried again at most now and then: {}", a.calls());
    assert_eq!(b.calls(), 6);
    let view = backends.view("a");
    assert_ne!(view.state, "closed");
    assert!(view.consecutive_failures >= 2 && view.failures == a.calls() as u64, "{view:?}");
    assert_eq!((available("a"), available("b")), (0.0, 1.0));
    assert_eq!(backends.figure("sophie_degraded{dependency=\"ai\"}"), 0.0, "the other one is there");

    a.set_default(|| Script::answer("back again"));
    due(&backends, "a").await;
    assert_eq!(backends.ask().await.text(), "back again");
    let view = backends.view("a");
    assert_eq!((view.state, view.consecutive_failures, view.retry_in_ms), ("closed", 0, None));
    assert_eq!(available("a"), 1.0);
}

#[tokio::test]
async fn one_request_probes_while_the_others_go_elsewhere() {
    let (a, b) = (AiServer::start().await, AiServer::start().await);
    let backends = Backends::new(vec![member("a", &a), member("b", &b)]);
    a.set_default(down);
    backends.ask().await;
    backends.ask().await;
    due(&backends, "a").await;
    let (script, gate) = Script::gated();
    a.push(script);
    let asked = a.calls();
    let (probe, ()) = tokio::join!(backends.ask(), async {
        a.wait_calls(asked + 1, SOON).await;
        assert_eq!(backends.view("a").state, "half_open");
        assert!(backends.ask().await.done);
        assert_eq!((a.calls(), b.calls()), (asked + 1, 3));
        gate.word("I am back");
        gate.finish();
    });
    assert_eq!((probe.text().as_str(), backends.view("a").state), ("I am back", "closed"));
}

#[tokio::test]
async fn a_probe_that_nobody_waits_for_leaves_its_place_to_the_next() {
    let ai = AiServer::start().await;
    let backends = Backends::new(vec![member("a", &ai)]);
    ai.set_default(down);
    backends.ask().await;
    backends.ask().await;
    due(&backends, "a").await;
    ai.push(Script::silent());
    let asked = request();
    tokio::select! {
        _ = backends.router.stream(&asked) => panic!("a silent server answered"),
        () = ai.wait_calls(3, SOON) => {}
    }
    assert_eq!((backends.ended("a", "cancelled"), backends.view("a").failures), (1, 2));
    ai.push(Script::answer("next"));
    assert_eq!(backends.ask().await.text(), "next");
}

#[tokio::test]
async fn where_all_are_left_out_it_is_told_at_once_with_a_time_to_come_back() {
    let ai = AiServer::start().await;
    let patience = Patience { failures: 2, first: Duration::from_secs(20), ..Patience::default() };
    let backends = Backends::with(vec![hasty("a", &ai), hasty("b", &ai)], patience);
    let degraded = || backends.figure("sophie_degraded{dependency=\"ai\"}");
    // Not by the server's count: it may learn of a request when nobody waits for that any more.
    let late = || ["a", "b"].map(|name| backends.ended(name, "timeout"));
    ai.set_default(Script::silent);
    for _ in 0..2 {
        assert_eq!(backends.ask().await.code(), Some(ErrorCode::AiTimeout), "time-outs count");
    }
    assert_eq!((late(), degraded()), ([2, 2], 1.0));
    let began = Instant::now();
    let error = backends.ask().await.error.expect("an error");
    assert!(began.elapsed() < SOON, "nobody waits for what has just failed");
    assert_eq!((error.code, late()), (ErrorCode::AiUnavailable, [2, 2]));
    assert!(error.retry_after_ms.is_some_and(|wait| (1_000..=20_000).contains(&wait)), "{error:?}");
}

#[tokio::test]
async fn the_whole_is_usable_again_with_the_first_that_comes_back() {
    let ai = AiServer::start().await;
    let backends = Backends::new(vec![member("a", &ai), member("b", &ai)]);
    ai.set_default(down);
    backends.ask().await;
    backends.ask().await;
    assert_eq!(backends.figure("sophie_degraded{dependency=\"ai\"}"), 1.0);
    ai.set_default(|| Script::answer("here"));
    due(&backends, "a").await;
    assert!(backends.ask().await.done);
    assert_eq!(backends.figure("sophie_degraded{dependency=\"ai\"}"), 0.0);
}

#[tokio::test]
async fn a_backend_that_says_when_to_come_back_is_left_out_for_so_long() {
    for (header, least) in [(("retry-after", "40"), 30_000), (("retry-after-ms", "40000"), 30_000)] {
        let (a, b) = (AiServer::start().await, AiServer::start().await);
        let backends = Backends::new(vec![member("a", &a), member("b", &b)]);
        a.push(Script::refusal(429, "", "", &[header]));
        for _ in 0..3 {
            assert!(backends.ask().await.done);
        }
        assert_eq!((a.calls(), b.calls()), (1, 3), "{header:?}");
        let view = backends.view("a");
        assert!(view.state == "open" && view.retry_in_ms.is_some_and(|wait| wait > least), "{view:?}");
    }
}

#[tokio::test]
async fn the_only_backend_is_asked_whatever_it_said_before() {
    let ai = AiServer::start().await;
    let backends = Backends::new(vec![member("a", &ai)]);
    ai.push(Script::refusal(429, "", "", &[("retry-after", "40")]));
    let error = backends.ask().await.error.expect("an error");
    assert!(error.retry_after_ms.is_some_and(|wait| (35_000..=40_000).contains(&wait)), "{error:?}");
    ai.set_default(down);
    for _ in 0..4 {
        assert_eq!(backends.ask().await.code(), Some(ErrorCode::AiUnavailable));
    }
    assert_eq!((ai.calls(), backends.view("a").state), (5, "open"));
    assert_eq!(backends.figure("sophie_degraded{dependency=\"ai\"}"), 1.0);
    ai.set_default(|| Script::answer("back again"));
    assert_eq!(backends.ask().await.text(), "back again");
    assert_eq!((ai.calls(), backends.view("a").state), (6, "closed"));
}

#[tokio::test]
async fn callers_are_told_the_time_that_all_backends_have_named() {
    let ai = AiServer::start().await;
    let backends = Backends::new(vec![member("a", &ai), member("b", &ai)]);
    ai.set_default(|| Script::refusal(429, "", "", &[("retry-after", "40")]));
    for _ in 0..2 {
        let error = backends.ask().await.error.expect("an error");
        assert_eq!(error.code, ErrorCode::AiUnavailable);
        assert!(error.reason.contains("busy"), "{}", error.reason);
        assert!(error.retry_after_ms.is_some_and(|wait| (35_000..=40_000).contains(&wait)), "{error:?}");
    }
    assert_eq!(ai.calls(), 2);
}

#[tokio::test]
async fn requests_at_fault_themselves_leave_a_backend_where_it_is() {
    let ai = AiServer::start().await;
    let backends = Backends::new(vec![member("a", &ai)]);
    ai.set_default(|| Script::refusal(400, "invalid_request_error", "", &[]));
    for _ in 0..5 {
        backends.ask().await;
    }
    assert_eq!((ai.calls(), backends.view("a").state), (5, "closed"));
}

#[tokio::test]
async fn answers_that_break_off_count_and_those_that_were_dropped_do_not() {
    let ai = AiServer::start().await;
    let backends = Backends::new(vec![member("a", &ai)]);
    ai.set_default(|| Script::slow_answer("one two", Duration::from_millis(1)).hang());
    for n in 0..3 {
        ai.push(Script::silent_after("half an"));
        drop(backends.router.stream(&request()).await.expect("an answer"));
        ai.wait_cancelled(n, SOON).await;
    }
    assert_eq!((backends.ended("a", "cancelled"), backends.view("a").state), (3, "closed"));
    ai.push(Script::ended_after("half an"));
    ai.push(Script::broken_after("half an"));
    backends.ask().await;
    backends.ask().await;
    assert_eq!((backends.ended("a", "failed"), backends.view("a").state), (2, "open"));
}

// ---- the whole program

#[tokio::test]
async fn the_log_says_once_that_a_backend_is_left_out_and_once_that_it_is_back() {
    let ai = AiServer::start().await;
    ai.set_default(down);
    let url = ai.base_url();
    let env = [
        ("SOPHIE__AI__BACKEND", "openai"),
        ("OPENAI_BASE_URL", url.as_str()),
        ("OPENAI_API_KEY", "hunter2hunter2"),
        ("SOPHIE__AI__RETRIES", "0"),
    ];
    let broker = Broker::start(0, &env).await;
    let ready = async || {
        let url = format!("http://{}/health/ready", broker.address);
        let response = reqwest::get(url).await.expect("a response");
        (response.status().as_u16(), response.json::<serde_json::Value>().await.expect("JSON")["details"]["ai"].clone())
    };
    assert_eq!(ready().await, (200, json!({ "backends": 1, "available": 1 })));
    let mut socket = TestSocket::open(broker.address, "s1", "").await;
    for n in 0..7 {
        let end = Answer::to(&mut socket, &format!("{n}"), &format!("question {n}")).await.end;
        assert_eq!(end["code"], "ai_unavailable", "{end}");
        assert!(end["retry_after_ms"].is_u64(), "{end}");
    }
    assert_eq!(ai.calls(), 7, "it is the only one");
    assert_eq!(ready().await, (200, json!({ "backends": 1, "available": 0 })), "a chat without a model is a chat");
    ai.set_default(|| Script::answer("Back."));
    let until = Instant::now() + SOON * 2;
    for n in 7.. {
        let answer = Answer::to(&mut socket, &format!("{n}"), &format!("question {n}")).await;
        if answer.end["type"] == "answer.end" {
            assert_eq!(answer.text, "Back.");
            break;
        }
        assert!(Instant::now() < until, "it never comes back: {}", answer.end);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let count = |line: &str| broker.log().matches(line).count();
    eventually("the last line", SOON, || async { (count("backend=openai state=closed") > 0).then_some(()) }).await;
    let log = broker.log();
    assert_eq!((count("backend=openai state=open"), count("backend=openai state=closed")), (1, 1), "{log}");
    assert!(log.contains("status=503") && !log.contains("hunter2"), "{log}");
}
