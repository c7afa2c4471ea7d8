//! Embeddings over HTTP: passed on as they are, kept and shared, limited, and paid for by what is read.

use futures_util::future::join_all;
use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};

use crate::support::{Mode, Reply, SOON, TestApp, TestServer, eventually, question, start_with_ai};

in_both_modes!(
    a_request_and_its_answer_go_through_as_they_are,
    equal_requests_cost_one_call_and_are_kept,
    what_was_read_is_settled_and_paid_for,
);

fn asked(input: Value) -> Value {
    json!({"model": "test-embedding", "input": input})
}

async fn embed(app: &TestApp, body: &Value) -> Reply {
    Reply::to(app.request("POST", "/v1/embeddings").json(body)).await
}

async fn kept(app: &TestApp, body: &Value) -> Reply {
    eventually("kept", SOON, async || {
        let reply = embed(app, body).await;
        (reply.header("x-sophie-cache") == "hit").then_some(reply)
    })
    .await
}

async fn a_request_and_its_answer_go_through_as_they_are(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let body = r#"{"input":["a",  "b"],"model":"test-embedding","encoding_format":"base64","dimensions":1,"user":"u","x_new":1.50}"#;
    let answer = r#"{"data":[{"embedding":"AACAPw==","index":0},{"index":1,"embedding":[1.0,  -2e-7]}], "object":"list","x_new":{"b":1,"a":2},"usage":{"prompt_tokens":3,"total_tokens":3}}"#;
    ai.push(Script::respond(200, &[("content-type", "application/json")], answer));
    let post = || app.request("POST", "/v1/embeddings").header("content-type", "application/json").body(body);
    let reply = Reply::to(post()).await;
    assert_eq!((reply.status, reply.text.as_str(), reply.header("content-type")), (200, answer, "application/json"));
    assert_eq!(reply.header("x-sophie-cache"), "miss");
    assert!(!reply.header("x-request-id").is_empty());
    let call = ai.call(0);
    assert_eq!((call.path.as_str(), call.headers["accept"].as_str()), ("/v1/embeddings", "application/json"));
    assert_eq!(call.text, body);
    eventually("kept", SOON, async || {
        let again = Reply::to(post()).await;
        assert_eq!(again.text, answer);
        (again.header("x-sophie-cache") == "hit").then_some(())
    })
    .await;
    let long = json!(vec!["x".repeat(1_000); 100]);
    for input in [json!("one"), json!([1, 2, 3]), json!([[1, 2], [3]]), long] {
        assert_eq!(embed(&app, &asked(input.clone())).await.status, 200, "{input}");
        assert_eq!(ai.call(ai.calls() - 1).body, asked(input));
    }
}

async fn equal_requests_cost_one_call_and_are_kept(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let (script, gate) = Script::gated();
    drop(gate);
    // The first one is lost on the way: nothing of it may be kept.
    ai.push(script);
    assert!(embed(&app, &asked(json!("same"))).await.status >= 500);
    let bodies = ["u1", "u2", "u3", "u4"].map(|user| json!({"user": user, "input": "same", "model": "test-embedding"}));
    let replies = join_all(bodies.iter().map(|body| embed(&app, body))).await;
    assert!(replies.iter().all(|reply| reply.json()["data"][0]["embedding"] == json!([0, 0.5])), "{replies:?}");
    kept(&app, &bodies[0]).await;
    assert_eq!(ai.calls(), 2);
    // Another format, another model, and a chat that says the same are other questions.
    for (name, value) in [("encoding_format", "base64"), ("model", "test-other")] {
        let mut other = asked(json!("same"));
        other[name] = value.into();
        assert_eq!(embed(&app, &other).await.header("x-sophie-cache"), "miss");
    }
    let mut either = question("either?");
    either["input"] = "same".into();
    assert_eq!(Reply::ask(&app, &either).await.answer(), "Hello from the test.");
    assert!(embed(&app, &either).await.json()["data"].is_array());
    assert_eq!(ai.calls(), 6);
    // An answer that lacks one of the texts is passed on, and not kept.
    let lacking = r#"{"data":[{"embedding":[1]}]}"#;
    let two = asked(json!(["one", "two"]));
    ai.push(Script::respond(200, &[("content-type", "application/json")], lacking));
    assert_eq!(embed(&app, &two).await.text, lacking);
    eventually("asked again", SOON, async || (embed(&app, &two).await.text != lacking).then_some(())).await;
    assert_eq!(ai.calls(), 8);
}

async fn what_was_read_is_settled_and_paid_for(mode: Mode) {
    let key = (
        "SOPHIE__AUTH__KEY",
        r#"[{"name": "rag", "key": "key-of-rag", "models": ["test-*"], "tokens_per_hour": 6000}]"#,
    );
    let prices = (
        "SOPHIE__AI__PRICES",
        r#"[{"name": "test-embedding", "prompt_per_million": 1000, "completion_per_million": 0}]"#,
    );
    let (ai, app) = start_with_ai(mode, &[key, prices, ("SOPHIE__LIMITS__ENABLED", "true")]).await;
    let ask = async |body: &Value| {
        Reply::to(app.request("POST", "/v1/embeddings").bearer_auth("key-of-rag").json(body)).await
    };
    let left = |reply: &Reply| reply.header("x-ratelimit-remaining-tokens").parse::<u64>().expect("a number");
    // Of 4,000 characters about 1,000 tokens are reserved, and then it is told that they were 9.
    let first = ask(&asked(json!("x".repeat(4_000)))).await;
    assert_eq!(first.status, 200, "{first:?}");
    let limit: u64 = first.header("x-ratelimit-limit-tokens").parse().expect("a number");
    assert!(left(&first) <= limit - 990, "{first:?}");
    eventually("settled", SOON, async || {
        let more = ask(&asked(json!("x".repeat(4_000)))).await;
        (left(&more) >= limit - 1_100).then_some(())
    })
    .await;
    let usage = eventually("in the ledger", SOON, async || {
        let (_, body) = app.admin("GET", "/admin/api/usage", None).await;
        let rows = body["rows"].as_array().cloned().unwrap_or_default();
        rows.into_iter().find(|row| row["name"] == "test-embedding")
    })
    .await;
    assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(9), &json!(0)), "{usage}");
    assert!((usage["cost"].as_f64().expect("a number") - 0.009).abs() < 1e-9, "{usage}");
    // More than there is, where something is taken for minutes, and a model that is not this key's: the backend hears of neither.
    let dear = r#"{"data":[{"embedding":[1]}],"usage":{"prompt_tokens":900,"total_tokens":900}}"#;
    ai.push(Script::respond(200, &[("content-type", "application/json")], dear));
    let costly = asked(json!("z".repeat(4_000)));
    eventually("let in", SOON, async || (ask(&costly).await.status == 200).then_some(())).await;
    let calls = ai.calls();
    let refused = ask(&asked(json!(["y".repeat(40_000)]))).await;
    assert_eq!((refused.status, &refused.error()["type"]), (429, &json!("tokens")));
    let other = ask(&json!({"model": "secret", "input": "a"})).await;
    assert_eq!((other.status, &other.error()["code"]), (404, &json!("model_not_found")));
    let stranger = embed(&app, &asked(json!("a"))).await;
    assert_eq!((stranger.status, &stranger.error()["code"]), (401, &json!("invalid_api_key")));
    assert_eq!(ai.calls(), calls);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named_and_costs_no_call() {
    let (ai, app) = start_with_ai(Mode::Memory, &[("SOPHIE__SERVER__MAX_BODY_BYTES", "100000")]).await;
    for (body, param) in [
        (json!({"input": "a"}), "model"),
        (json!({"model": "m"}), "input"),
        (json!({"model": "m", "input": [["a"]]}), "input"),
        (json!({"model": "m", "input": "a", "dimensions": -1}), "dimensions"),
    ] {
        let refused = embed(&app, &body).await;
        assert_eq!((refused.status, &refused.error()["param"]), (400, &json!(param)), "{body}");
    }
    assert_eq!(embed(&app, &asked(json!("x".repeat(100_000)))).await.status, 413);
    let get = Reply::to(app.request("GET", "/v1/embeddings")).await;
    assert_eq!((get.status, get.header("allow")), (405, "POST"));
    // What the backend finds wrong it says in its own words.
    ai.push(Script::refusal(400, "invalid_request_error", "too_many_inputs", &[]));
    let refused = embed(&app, &asked(json!("a"))).await;
    assert_eq!((refused.status, &refused.error()["code"]), (400, &json!("too_many_inputs")));
    assert_eq!(ai.calls(), 1);
}

#[tokio::test]
async fn who_goes_away_cancels_the_request() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    ai.push(Script::silent());
    let asking = tokio::spawn(app.request("POST", "/v1/embeddings").json(&asked(json!("a"))).send());
    ai.wait_calls(1, SOON).await;
    asking.abort();
    ai.wait_cancelled(0, SOON).await;
}

#[tokio::test]
async fn a_backend_that_has_no_embeddings_goes_on_answering_chats() {
    let (chats, vectors) = (AiServer::start().await, AiServer::start().await);
    let backends = json!([
        {"name": "chats", "base_url": chats.base_url(), "retries": 2},
        {"name": "vectors", "base_url": vectors.base_url(), "models": ["test-embedding"]},
    ]);
    let app = TestApp::start(
        Mode::Memory,
        &[("SOPHIE__AI__BACKENDS", &backends.to_string()), ("SOPHIE__AI__BACKEND", "openai")],
    )
    .await;
    let bare = || Script::respond(404, &[("content-type", "text/plain")], "404 page not found");
    let off = || Script::refusal(501, "not_supported_error", "", &[]);
    for n in 0..10 {
        chats.push(if n % 2 == 0 { bare() } else { off() });
        let reply = embed(&app, &asked(json!(format!("text {n}")))).await;
        assert_eq!(reply.json()["data"][0]["embedding"], json!([0, 0.5]));
        chats.push(if n % 2 == 0 { bare() } else { off() });
        let alone = embed(&app, &json!({"model": "of-chats", "input": format!("text {n}")})).await;
        assert_eq!((alone.status, &alone.error()["code"]), (404, &json!("embeddings_not_offered")));
    }
    assert_eq!((chats.calls(), vectors.calls()), (20, 10));
    assert_eq!(Reply::ask(&app, &question("still there?")).await.answer(), "Hello from the test.");
    let (_, told) = app.admin("GET", "/admin/api/backends", None).await;
    assert_eq!(
        (&told["backends"][0]["state"], &told["backends"][0]["failures"]),
        (&json!("closed"), &json!(0)),
        "{told}"
    );
}

#[tokio::test]
async fn equal_requests_on_two_nodes_cost_one_call() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    let nodes = [
        TestApp::one_of(&redis, "n0", &ai.environment()).await,
        TestApp::one_of(&redis, "n1", &ai.environment()).await,
    ];
    let body = asked(json!(["one", "two"]));
    ai.push(Script::silent_for(std::time::Duration::from_millis(500), Script::embeddings(&body)));
    let replies = join_all((0..6).map(|n| embed(&nodes[n % 2], &body))).await;
    assert!(replies.iter().all(|reply| reply.text == replies[0].text && reply.status == 200), "{replies:?}");
    assert_eq!(kept(&nodes[1], &body).await.text, replies[0].text);
    assert_eq!(ai.calls(), 1);
}

#[tokio::test]
async fn the_demo_embeds_words_so_that_a_search_can_be_tried() {
    let app = TestApp::start(Mode::Memory, &[]).await;
    let texts = ["The sky is blue.", "why is the sky blue?", "Cats purr."];
    let reply = embed(&app, &json!({"model": "text-embedding-3-small", "input": texts})).await.json();
    let vector =
        |n: usize| -> Vec<f64> { serde_json::from_value(reply["data"][n]["embedding"].clone()).expect("numbers") };
    let likeness = |one: usize, other: usize| vector(one).iter().zip(vector(other)).map(|(a, b)| a * b).sum::<f64>();
    assert!(likeness(0, 1) > 0.8 && likeness(0, 2) < 0.3, "{reply}");
    assert_eq!((&reply["model"], vector(0).len()), (&json!("sophie-demo"), 256));
}

#[tokio::test]
async fn an_address_that_there_is_not_tells_which_there_are() {
    let app = TestApp::start(Mode::Memory, &[]).await;
    for (method, path) in [("POST", "/v1/images/generations"), ("GET", "/v1"), ("DELETE", "/v1/files/7")] {
        let refused = Reply::to(app.request(method, path)).await;
        let error = refused.error();
        assert_eq!((refused.status, &error["code"]), (404, &json!("unknown_url")), "{path}");
        let message = error["message"].as_str().expect("text");
        assert!(message.contains(&format!("{method} {path}")), "{message}");
        for known in [
            "POST /v1/chat/completions",
            "POST /v1/completions",
            "POST /v1/embeddings",
            "GET /v1/models",
            "GET /v1/models/{model}",
        ] {
            assert!(message.contains(known), "{message}");
        }
    }
}
