//! Chat completions that their callers want to come back to: they go on without them, and are read on at any node.

use std::time::Duration;

use serde_json::{Value, json};
use sophie_kit::ai_server::Script;
use tokio::time::Instant;

use crate::support::{Mode, Pair, Reply, Request, SOON, TestApp, eventually, question, start_with_ai, streamed};

const KEYS: (&str, &str) =
    ("SOPHIE__AUTH__KEY", r#"[{"name": "shop", "key": "key-of-the-shop"}, {"name": "lab", "key": "key-of-the-lab"}]"#);

/// A request for a chat completion, of the shop's, that is to go on without it.
fn resumable(app: &TestApp, body: &Value) -> Request {
    let request = app.request("POST", "/v1/chat/completions").bearer_auth("key-of-the-shop");
    request.header("x-sophie-resume", "1").json(body)
}

/// The answer that a response names, once something of it was read.
async fn begun(mut response: reqwest::Response) -> String {
    assert_eq!(response.status(), 200, "{response:?}");
    let name = response.headers()["x-sophie-answer"].to_str().expect("a name").to_owned();
    response.chunk().await.expect("read").expect("something came");
    name
}

async fn read(app: &TestApp, answer: &str, key: &str) -> Reply {
    Reply::to(app.request("GET", &format!("/ds/answers/{answer}?offset=-1")).bearer_auth(key)).await
}

/// Reads until the answer has ended; its text.
async fn read_whole(app: &TestApp, answer: &str, key: &str) -> String {
    eventually("ended", SOON, async || {
        let reply = read(app, answer, key).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        (reply.header("stream-closed") == "true").then_some(reply.text)
    })
    .await
}

in_both_modes!(
    each_answer_has_a_name_and_a_link_where_it_can_be_read_again,
    a_refusal_is_told_as_it_is_without,
    one_that_nobody_reads_any_more_is_given_up_and_paid_for_once,
);

async fn each_answer_has_a_name_and_a_link_where_it_can_be_read_again(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    ai.set_default(|| Script::answer("An answer."));
    let mut names = Vec::new();
    for body in [question("?"), streamed("?")] {
        let plain = Reply::ask(&app, &body).await;
        assert_eq!(plain.header("link"), "");
        let path = format!("/ds/answers/{}", plain.header("x-sophie-answer"));
        assert_eq!(Reply::to(app.request("GET", &path)).await.status, 404, "it is not kept");
        let kept = Reply::to(resumable(&app, &body)).await;
        assert_eq!(kept.answer(), "An answer.");
        let path = format!("/ds/answers/{}", kept.header("x-sophie-answer"));
        assert_eq!(kept.header("link"), format!("<{path}>; rel=\"alternate\""));
        let again = Reply::to(app.request("GET", &path)).await;
        assert_eq!((again.text.as_str(), again.header("stream-closed")), ("An answer.", "true"));
        assert!(again.header("stream-next-offset").starts_with("a_"));
        names.extend([plain.header("x-sophie-answer").to_owned(), kept.header("x-sophie-answer").to_owned()]);
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 4, "each has its own, from the cache too");
    assert!(names.iter().all(|name| name.len() > 16), "{names:?}");
    let wrong = app.request("POST", "/v1/chat/completions").header("x-sophie-resume", "maybe").json(&question("?"));
    assert_eq!(Reply::to(wrong).await.status, 400);
    let embeddings = json!({"model": "m", "input": "x"});
    let embedded = Reply::to(app.request("POST", "/v1/embeddings").json(&embeddings)).await;
    assert_eq!(embedded.header("x-sophie-answer"), "");
}

async fn a_refusal_is_told_as_it_is_without(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    // Two questions: the first one's failure may be joined until it is told to all nodes.
    for body in [question("whole?"), streamed("streamed?")] {
        ai.push(Script::refusal(400, "invalid_request_error", "context_length_exceeded", &[]));
        let refused = Reply::to(resumable(&app, &body)).await;
        assert_eq!((refused.status, refused.error()["code"].as_str()), (400, Some("context_length_exceeded")));
        ai.push(Script::broken_after("one two"));
        let broken = Reply::to(resumable(&app, &body)).await;
        match broken.status {
            200 => assert!(broken.text.contains("\"interrupted\"") && !broken.text.contains("[DONE]"), "{broken:?}"),
            status => assert_eq!((status, broken.error()["code"].as_str()), (502, Some("interrupted"))),
        }
    }
}

async fn one_that_nobody_reads_any_more_is_given_up_and_paid_for_once(mode: Mode) {
    let limits = [
        ("SOPHIE__LIMITS__ENABLED", "true"),
        ("SOPHIE__LIMITS__USER_BURST", "50"),
        ("SOPHIE__LIMITS__USER_TOKENS_PER_HOUR", "1000"),
        ("SOPHIE__AI__ABANDON_SECONDS", "2"),
    ];
    let (ai, app) = start_with_ai(mode, &limits).await;
    // 500 are reserved for each: were one of them kept, the third would not come in.
    for n in 0..3 {
        ai.push(Script::silent_after("one two"));
        let answer = eventually("let in", SOON, async || {
            let response = resumable(&app, &streamed(&format!("{n}?"))).send().await.expect("a response");
            match response.status().as_u16() {
                429 => None,
                _ => Some(begun(response).await),
            }
        })
        .await;
        // Its caller has gone, and somebody else reads on for longer than an answer is left to itself.
        let since = Instant::now();
        while since.elapsed() < Duration::from_millis(2_500) {
            let path = format!("/ds/answers/{answer}?offset=now&live=long-poll");
            let read = app.request("GET", &path).timeout(Duration::from_millis(500)).send().await;
            assert!(read.is_err() || !read.expect("a response").headers().contains_key("stream-closed"), "{n}");
        }
        assert!(!ai.call(n).cancelled, "it is read");
        ai.wait_cancelled(n, SOON).await;
        assert_eq!(read_whole(&app, &answer, "").await, "one two");
    }
    let spent = eventually("settled", SOON, async || {
        let spent = app.node().metrics.tokens.with_label_values(&["cancelled", "test-model"]).get();
        (spent > 0).then_some(spent)
    })
    .await;
    assert!(spent < 200, "{spent}");
}

#[tokio::test]
async fn one_goes_on_without_its_caller_and_is_read_at_the_other_node_by_its_key_alone() {
    let Pair { ai, nodes, .. } = &Pair::start(&[KEYS]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    gate.word("one ");
    let asked = tokio::spawn(resumable(&nodes[0], &streamed("?")).send());
    let answer = begun(asked.await.expect("asked").expect("a response")).await;
    // What its caller has seen is there at the other node.
    let there = read(&nodes[1], &answer, "key-of-the-shop").await;
    assert_eq!((there.status, there.text.as_str(), there.header("stream-closed")), (200, "one ", ""));
    let unknown = read(&nodes[1], "a0000000000000000", "key-of-the-shop").await;
    for (key, node) in [("key-of-the-lab", 0), ("key-of-the-lab", 1), ("no key", 0), ("", 1)] {
        let refused = read(&nodes[node], &answer, key).await;
        let told = |reply: &Reply| {
            let mut body = reply.json();
            body["error"].as_object_mut().expect("an object").remove("request_id");
            (reply.status, body)
        };
        assert_eq!(told(&refused), told(&unknown), "{key}");
    }
    gate.word("two");
    gate.finish();
    assert_eq!(read_whole(&nodes[1], &answer, "key-of-the-shop").await, "one two");
    assert_eq!(ai.calls(), 1);
}
