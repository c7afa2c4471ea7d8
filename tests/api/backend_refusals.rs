//! What a backend says when it refuses, and whose fault that is.

use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script, finish, word};

use crate::support::{Broker, Client, Mode, Reply, SOON, eventually, question, start_with_ai, streamed};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

#[tokio::test]
async fn the_words_of_a_refusal_are_found_in_every_shape() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    for body in [
        json!({"error": {"message": "n is too large", "type": "invalid_request_error"}}).to_string(),
        json!({"error": "n is too large"}).to_string(),
        json!({"object": "error", "message": "n is too large", "type": "BadRequestError", "code": 400}).to_string(),
        json!([{"error": {"code": 400, "message": "n is too large", "status": "INVALID_ARGUMENT"}}]).to_string(),
        json!({"detail": "n is too large"}).to_string(),
        json!({"detail": [{"loc": ["body", "n"], "msg": "n is too large", "type": "value_error"}]}).to_string(),
        json!({"message": "n is too large"}).to_string(),
        json!({"errors": [{"message": "n is too large"}]}).to_string(),
        "n is too large".to_owned(),
    ] {
        for asked in [streamed("?"), question("?")] {
            for status in [400, 422] {
                ai.push(Script::respond(status, &[], &body));
                let reply = Reply::ask(&app, &asked).await;
                let error = reply.error();
                assert_eq!(reply.status, status, "{body}");
                assert!(error["message"].as_str().is_some_and(|it| it.contains("n is too large")), "{body}: {error}");
            }
        }
    }
    assert_eq!(app.figure("sophie_backend_available{backend=\"openai\"}"), 1.0);
    // Also where a good answer should be.
    for body in [
        r#"{"object":"error","message":"n is too large","type":"BadRequestError","code":400}"#,
        r#"[{"error":{"code":400,"message":"n is too large"}}]"#,
    ] {
        for script in
            [Script::respond(200, &JSON, body), Script::respond(200, &[("content-type", "text/event-stream")], body)]
        {
            ai.push(script);
            let reply = Reply::ask(&app, &streamed("?")).await;
            assert_eq!((reply.status, &reply.error()["message"]), (400, &json!("n is too large")), "{body}");
        }
        ai.push(Script::stream().event(&word("half ")).event(body).end());
        let reply = Reply::ask(&app, &streamed("?")).await;
        let last: Value = serde_json::from_str(reply.events().last().expect("events")).expect("JSON");
        assert_eq!(last["error"]["message"], "n is too large", "{reply:?}");
    }
}

#[tokio::test]
async fn what_is_not_openais_is_the_addresss_fault_and_the_log_says_where_and_what() {
    let ai = AiServer::start().await;
    let url = ai.base_url().replace("http://", "http://user:secret-word@") + "?key=secret-query";
    let env = [("SOPHIE__AI__BACKEND", "openai"), ("OPENAI_BASE_URL", url.as_str()), ("SOPHIE__AI__RETRIES", "0")];
    let broker = Broker::start(0, &env).await;
    let http = Client::new();
    let ask = async || {
        Reply::to(http.post(format!("http://{}/v1/chat/completions", broker.address)).json(&question("?"))).await
    };
    let page = "<html><head><title>Welcome to nginx!</title></head></html>";
    let cases = [
        (404, r#"{"detail":"Not Found"}"#),
        (404, "404 page not found"),
        (404, page),
        (405, r#"{"detail":"Method Not Allowed"}"#),
        (301, ""),
        (200, page),
    ];
    for (status, body) in cases {
        ai.push(Script::respond(
            status,
            &[("content-type", "text/html"), ("location", "http://elsewhere.example/")],
            body,
        ));
        let reply = ask().await;
        let error = reply.error();
        assert_eq!((reply.status, &error["code"]), (503, &json!("ai_unavailable")), "{status} {body}");
        assert_eq!(reply.header("x-should-retry"), "false");
        assert!(error["message"].as_str().is_some_and(|it| it.contains("does base_url end in /v1?")), "{error}");
    }
    let address = ai.base_url() + "/chat/completions";
    let log = eventually("the last line", SOON, async || {
        let log = broker.log();
        (log.matches("event=answer_failed").count() == cases.len()).then_some(log)
    })
    .await;
    for words in
        ["Welcome to nginx!", "Method Not Allowed", "404 page not found", "does base_url end in /v1?", &address]
    {
        assert!(log.contains(words), "{words} in {log}");
    }
    assert!(!log.contains("secret-word") && !log.contains("secret-query"), "{log}");
    // It counts: after five in a row the backend is said to be out.
    assert!(log.contains("state=open"), "{log}");
    // What was asked is not repeated from what a server sends back.
    let body =
        json!({"detail": [{"loc": ["body", "n"], "msg": "too large", "input": {"messages": ["secret-question"]}}]});
    ai.push(Script::respond(422, &JSON, &body.to_string()));
    assert_eq!(ask().await.status, 422);
    let log = eventually("a line", SOON, async || Some(broker.log()).filter(|log| log.contains("too large"))).await;
    assert!(!log.contains("secret-question"), "{log}");
}

#[tokio::test]
async fn a_limit_of_the_backend_is_a_429_with_its_words_and_is_told_as_the_backends() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    let body =
        json!({"error": {"message": "slow down, you of org-secret", "type": "tokens", "code": "rate_limit_exceeded"}});
    for (told, expected) in [("17", "17"), ("86400", "120"), ("", "5")] {
        let headers: Vec<_> = JSON.into_iter().chain((!told.is_empty()).then_some(("retry-after", told))).collect();
        for asked in [streamed("?"), question("?")] {
            ai.push(Script::respond(429, &headers, &body.to_string()));
            let reply = Reply::ask(&app, &asked).await;
            let error = reply.error();
            assert_eq!((reply.status, reply.header("retry-after")), (429, expected), "{reply:?}");
            assert_eq!(
                (&error["message"], &error["code"]),
                (&json!("slow down, you of [account]"), &json!("backend_rate_limited"))
            );
        }
    }
    ai.push(Script::respond(429, &[("retry-after", "9")], "busy, busy"));
    let reply = Reply::ask(&app, &question("?")).await;
    assert_eq!((reply.status, &reply.error()["message"]), (429, &json!("busy, busy")));
}

#[tokio::test]
async fn what_was_tried_again_here_is_not_tried_again_by_the_caller() {
    let (ai, app) = start_with_ai(Mode::Memory, &[("SOPHIE__AI__RETRIES", "2")]).await;
    let at_once = ("retry-after-ms", "1");
    for (script, status) in [
        ((|at| Script::refusal(500, "server_error", "", &[at])) as fn((&'static str, &'static str)) -> Script, 503),
        (|at| Script::refusal(429, "requests", "", &[at]), 429),
    ] {
        let before = ai.calls();
        ai.set_default(move || script(at_once));
        let reply = Reply::ask(&app, &question("?")).await;
        assert_eq!((reply.status, reply.header("x-should-retry")), (status, "false"), "{reply:?}");
        assert!(!reply.header("retry-after").is_empty());
        assert_eq!(ai.calls() - before, 3);
    }
    // A wait that is too long for us is the caller's to wait.
    ai.set_default(|| Script::refusal(429, "requests", "", &[("retry-after", "40")]));
    let reply = Reply::ask(&app, &question("?")).await;
    assert_eq!((reply.status, reply.header("x-should-retry"), reply.header("retry-after")), (429, "", "40"));
}

#[tokio::test]
async fn a_backend_that_refuses_stream_options_is_asked_without_and_remembered() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    let good = || Script::stream().event(&word("a")).event(&finish("stop")).done();
    let detail = r#"{"detail":[{"loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}"#;
    ai.push(Script::respond(422, &JSON, detail));
    ai.push(good());
    assert_eq!(Reply::ask(&app, &streamed("one?")).await.answer(), "a");
    assert_eq!(ai.calls(), 2);
    assert!(ai.call(0).body.get("stream_options").is_some() && ai.call(1).body.get("stream_options").is_none());
    ai.push(good());
    assert_eq!(Reply::ask(&app, &streamed("two?")).await.answer(), "a");
    assert_eq!(ai.calls(), 3);
    assert!(ai.call(2).body.get("stream_options").is_none());
}

#[tokio::test]
async fn stream_options_are_not_given_up_for_another_fault() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    let both = "stream_options and n are wrong";
    ai.push(Script::respond(400, &[], both));
    ai.push(Script::respond(400, &[], "n is wrong"));
    let reply = Reply::ask(&app, &streamed("?")).await;
    assert_eq!((reply.status, &reply.error()["message"]), (400, &json!("n is wrong")));
    assert_eq!(Reply::ask(&app, &streamed("again?")).await.status, 200);
    assert!(ai.call(2).body.get("stream_options").is_some(), "only what went well is remembered");
}

#[tokio::test]
async fn a_hub_without_the_model_is_passed_over_and_nothing_is_held_against_it() {
    for body in [
        r#"{"type":"error","error":{"type":"not_found_error","message":"model: test-model"}}"#,
        r#"{"error":"model 'test-model' not found"}"#,
        r#"{"object":"error","message":"The model `test-model` does not exist.","type":"NotFoundError","code":404}"#,
    ] {
        let (hub, other) = (AiServer::start().await, AiServer::start().await);
        hub.set_default(move || Script::respond(404, &JSON, body));
        other.set_default(|| Script::answer("the other"));
        let table =
            json!([{"name": "hub", "base_url": hub.base_url()}, {"name": "other", "base_url": other.base_url()}])
                .to_string();
        let (_, app) = start_with_ai(Mode::Memory, &[("SOPHIE__AI__BACKENDS", &table)]).await;
        for n in 0..7 {
            assert_eq!(Reply::ask(&app, &streamed(&format!("{n}?"))).await.answer(), "the other");
        }
        assert_eq!(hub.calls(), 7, "it is asked each time: {body}");
        assert_eq!(app.figure("sophie_backend_available{backend=\"hub\"}"), 1.0);
    }
}

#[tokio::test]
async fn an_address_that_is_somebody_elses_is_passed_over_and_left_out() {
    let (wrong, other) = (AiServer::start().await, AiServer::start().await);
    wrong.set_default(|| Script::respond(404, &JSON, r#"{"detail":"Not Found"}"#));
    other.set_default(|| Script::answer("the other"));
    let table =
        json!([{"name": "wrong", "base_url": wrong.base_url()}, {"name": "other", "base_url": other.base_url()}])
            .to_string();
    let (_, app) = start_with_ai(Mode::Memory, &[("SOPHIE__AI__BACKENDS", &table)]).await;
    for n in 0..7 {
        assert_eq!(Reply::ask(&app, &streamed(&format!("{n}?"))).await.answer(), "the other");
    }
    assert_eq!(wrong.calls(), 5);
    assert_eq!(app.figure("sophie_backend_requests_total{backend=\"wrong\",outcome=\"address\"}"), 5.0);
}
