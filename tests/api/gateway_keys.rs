//! API keys: who may come in, which models they may ask, how much, and with whom they share answers.

use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script, finish, usage, word};

use crate::support::{JWT, Mode, Reply, SOON, TestApp, TestServer, eventually, question, start_with_ai, streamed};

const KEYS: (&str, &str) = (
    "SOPHIE__AUTH__KEY",
    r#"[{"name": "shop", "key": "key-of-the-shop", "models": ["test-*"], "requests_per_minute": 2},
        {"name": "lab", "key": "key-of-the-lab", "tokens_per_hour": 2000, "requests_per_minute": 600}]"#,
);

async fn ask(app: &TestApp, key: &str, body: &Value) -> Reply {
    Reply::to(app.request("POST", "/v1/chat/completions").bearer_auth(key).json(body)).await
}

#[tokio::test]
async fn a_key_is_needed_unless_nobody_needs_one() {
    let keyed = TestApp::start(Mode::Memory, &[KEYS, ("SOPHIE__AUTH__API_KEYS", "plain-key")]).await;
    for (method, path) in [("POST", "/v1/chat/completions"), ("GET", "/v1/models"), ("GET", "/v1/models/sophie-demo")] {
        for key in [None, Some("wrong"), Some(""), Some("shop:key-of-the-shop"), Some(crate::support::ADMIN_TOKEN)] {
            let request = keyed.request(method, path);
            let reply = Reply::to(match key {
                Some(key) => request.bearer_auth(key),
                None => request,
            })
            .await;
            let error = reply.error();
            assert_eq!((reply.status, &error["code"]), (401, &json!("invalid_api_key")), "{path} {key:?}");
            assert!(!error.to_string().contains("key-of"), "{error}");
            assert_eq!(reply.header("www-authenticate"), "Bearer");
        }
    }
    for key in ["plain-key", "key-of-the-lab"] {
        assert_eq!(ask(&keyed, key, &question("?")).await.status, 200);
    }
    // Before the body is looked at: strangers learn nothing, and cost nothing.
    let request = keyed.request("POST", "/v1/chat/completions").body("{");
    assert_eq!(Reply::to(request).await.status, 401);
    let open = TestApp::start(Mode::Memory, &[]).await;
    assert_eq!(ask(&open, "whatever", &question("?")).await.status, 200);
    // A page of any site, in a browser on this machine, is not this machine's application.
    let page = open.request("POST", "/v1/chat/completions").header("origin", "https://elsewhere.example");
    let refused = Reply::to(page.json(&question("?"))).await;
    assert_eq!((refused.status, refused.error()["code"].as_str()), (403, Some("origin_not_allowed")));
    let closed = TestApp::start(Mode::Memory, &JWT).await;
    let refused = Reply::ask(&closed, &question("?")).await;
    assert_eq!(refused.status, 401);
    assert!(refused.error()["message"].as_str().expect("text").contains("auth.api_keys"), "names the setting");
}

#[tokio::test]
async fn a_key_sees_and_asks_its_own_models_alone() {
    let (ai, app) = start_with_ai(Mode::Memory, &[KEYS, ("SOPHIE__AI__MODEL", "test-model")]).await;
    let models = async |key: &str| {
        let reply = Reply::to(app.request("GET", "/v1/models").bearer_auth(key)).await;
        assert_eq!(reply.status, 200);
        reply.json()
    };
    let list = models("key-of-the-shop").await;
    assert_eq!(list["object"], "list");
    let ids: Vec<&str> = list["data"].as_array().expect("a list").iter().filter_map(|it| it["id"].as_str()).collect();
    assert!(ids.contains(&"test-model"), "{list}");
    let first = &list["data"][0];
    assert!(first["object"] == "model" && first["created"].is_u64() && first["owned_by"].is_string(), "{first}");
    let one = Reply::to(app.request("GET", "/v1/models/test-model").bearer_auth("key-of-the-lab")).await;
    assert_eq!((one.status, &one.json()["id"]), (200, &json!("test-model")));
    let mut other = question("?");
    other["model"] = "gpt-secret".into();
    let refused = ask(&app, "key-of-the-shop", &other).await;
    let error = refused.error();
    assert_eq!((refused.status, &error["code"], &error["param"]), (404, &json!("model_not_found"), &json!("model")));
    assert_eq!(ai.calls(), 0);
    assert_eq!(ask(&app, "key-of-the-lab", &other).await.status, 200);
}

in_both_modes!(
    no_answer_goes_from_one_key_to_another,
    a_keys_limits_are_its_own_and_told,
    tokens_are_charged_to_who_caused_them
);

async fn no_answer_goes_from_one_key_to_another(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[KEYS]).await;
    let both = ["key-of-the-shop", "key-of-the-lab"];
    for key in both {
        assert_eq!(ask(&app, key, &question("?")).await.header("x-sophie-cache"), "miss", "{key}");
    }
    for key in both {
        is_kept_for(&app, key).await;
    }
    assert_eq!(ai.calls(), 2);
    let (_ai, shared) = start_with_ai(mode, &[KEYS, ("SOPHIE__CACHE__SCOPE", "global")]).await;
    assert_eq!(ask(&shared, "key-of-the-shop", &question("?")).await.header("x-sophie-cache"), "miss");
    is_kept_for(&shared, "key-of-the-lab").await;
}

async fn is_kept_for(app: &TestApp, key: &str) {
    eventually("kept", SOON, async || {
        let reply = ask(app, key, &question("?")).await;
        assert_ne!(reply.header("x-sophie-cache"), "miss");
        (reply.header("x-sophie-cache") == "hit").then_some(())
    })
    .await;
}

async fn a_keys_limits_are_its_own_and_told(mode: Mode) {
    let on = [KEYS, ("SOPHIE__LIMITS__ENABLED", "true"), ("SOPHIE__LIMITS__ADDRESS_MESSAGES_PER_MINUTE", "1000")];
    let (ai, app) = start_with_ai(mode, &on).await;
    for left in ["1", "0"] {
        let reply = ask(&app, "key-of-the-shop", &question("?")).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.header("x-ratelimit-limit-requests"), "2");
        assert_eq!(reply.header("x-ratelimit-remaining-requests"), left);
        assert!(reply.header("x-ratelimit-reset-requests").ends_with('s'));
        assert!(!reply.header("x-ratelimit-limit-tokens").is_empty());
    }
    for body in [question("?"), streamed("?")] {
        let refused = ask(&app, "key-of-the-shop", &body).await;
        let error = refused.error();
        assert_eq!(
            (refused.status, &error["code"], &error["type"]),
            (429, &json!("rate_limit_exceeded"), &json!("requests"))
        );
        let wait: u64 = refused.header("retry-after").parse().expect("seconds");
        assert!((1..=120).contains(&wait));
        assert_eq!(refused.header("x-ratelimit-remaining-requests"), "0");
        assert_eq!(refused.header("x-should-retry"), "");
    }
    assert_eq!(ask(&app, "key-of-the-lab", &question("?")).await.status, 200, "another key's limit is another one");
    let (_, seen) = app.admin("GET", "/admin/api/limits/key:shop", None).await;
    assert_eq!((&seen["limits"][0]["limit"], &seen["limits"][0]["remaining"]), (&json!(2), &json!(0)), "{seen}");
    assert_eq!(ai.calls(), 2);
}

async fn tokens_are_charged_to_who_caused_them(mode: Mode) {
    let on = [KEYS, ("SOPHIE__LIMITS__ENABLED", "true"), ("SOPHIE__LIMITS__ADDRESS_MESSAGES_PER_MINUTE", "1000")];
    let (ai, app) = start_with_ai(mode, &on).await;
    let left = |reply: &Reply| reply.header("x-ratelimit-remaining-tokens").parse::<u64>().expect("a count");
    let spent = Script::stream().event(&word("Much.")).event(&finish("stop")).event(&usage(200, 300)).done();
    ai.push(spent);
    let miss = ask(&app, "key-of-the-lab", &streamed("?")).await;
    assert_eq!((miss.status, miss.header("x-ratelimit-limit-tokens")), (200, "2000"));
    // What was reserved is corrected to the 500 that were used. A hit gives back what it reserved.
    for _ in 0..4 {
        eventually("settled", SOON, async || {
            let hit = ask(&app, "key-of-the-lab", &streamed("?")).await;
            // What those before have reserved may be on its way back.
            assert!(matches!(hit.status, 200 | 429), "{hit:?}");
            // 2,000 less 500, less what this one has reserved itself, more what has come back since.
            (hit.status == 200 && (950..=1_050).contains(&left(&hit))).then_some(())
        })
        .await;
    }
    // An answer is charged in full, past the end of what is left: a quota of hours, for which no quick try will do.
    ai.push(Script::stream().event(&word("Too much.")).event(&finish("stop")).event(&usage(500, 5_000)).done());
    assert_eq!(ask(&app, "key-of-the-lab", &streamed("more?")).await.status, 200);
    let refused = eventually("charged", SOON, async || {
        let reply = ask(&app, "key-of-the-lab", &question("?")).await;
        (reply.status == 429).then_some(reply)
    })
    .await;
    assert_eq!((refused.error()["type"].as_str(), refused.header("x-should-retry")), (Some("tokens"), "false"));
    assert_eq!(refused.header("retry-after"), "120");
    assert_eq!(ai.calls(), 2);
}

#[tokio::test]
async fn the_services_answers_at_once_are_those_of_applications_too() {
    let (ai, app) = start_with_ai(Mode::Memory, &[("SOPHIE__LIMITS__ANSWERS_AT_ONCE", "1")]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    gate.word("one ");
    let mut first = app.request("POST", "/v1/chat/completions").json(&streamed("?")).send().await.expect("a response");
    let refused = Reply::ask(&app, &question("another?")).await;
    assert_eq!((refused.status, refused.error()["code"].as_str()), (503, Some("busy")));
    assert!(!refused.header("retry-after").is_empty());
    gate.finish();
    while first.chunk().await.expect("read").is_some() {}
    eventually("free again", SOON, async || {
        (Reply::ask(&app, &question("another?")).await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_was_kept_for_a_key_is_not_anothers_in_its_place_or_of_its_name() {
    let redis = TestServer::start();
    let ai = AiServer::start().await;
    let url = ai.base_url();
    let start = async |keys: &str| {
        let environment = [
            ("SOPHIE__AI__BACKEND", "openai"),
            ("SOPHIE__AI__BASE_URL", url.as_str()),
            ("SOPHIE__AUTH__API_KEYS", keys),
        ];
        TestApp::one_of(&redis, "n", &environment).await
    };
    let before = start("A,B,shop:old").await;
    for (key, body) in [("A", question("a?")), ("shop-old", question("s?")), ("old", question("s?"))] {
        let expected = if key == "shop-old" { 401 } else { 200 };
        assert_eq!(ask(&before, key, &body).await.status, expected, "{key}");
    }
    eventually("kept", SOON, async || {
        let hits = [ask(&before, "A", &question("a?")).await, ask(&before, "old", &question("s?")).await];
        hits.iter().all(|hit| hit.header("x-sophie-cache") == "hit").then_some(())
    })
    .await;
    before.stop().await.expect("stopped");
    assert_eq!(ai.calls(), 2);
    // B is the first one now, C the second, and the shop has another key.
    let after = start("B,C,shop:new,A").await;
    for key in ["B", "C", "new"] {
        for body in [question("a?"), question("s?")] {
            assert_eq!(ask(&after, key, &body).await.header("x-sophie-cache"), "miss", "{key}");
        }
    }
    assert_eq!(ask(&after, "A", &question("a?")).await.header("x-sophie-cache"), "hit", "its own");
}

#[tokio::test]
async fn the_limits_of_a_key_without_a_name_are_known_by_its_digest() {
    // What a request takes is not back before it is looked at.
    let slow = ("SOPHIE__LIMITS__KEY_REQUESTS_PER_MINUTE", "2");
    let on = [("SOPHIE__AUTH__API_KEYS", "other,plain"), ("SOPHIE__LIMITS__ENABLED", "true"), slow];
    let (_ai, app) = start_with_ai(Mode::Memory, &on).await;
    let left = async |subject: &str| {
        let (status, seen) = app.admin("GET", &format!("/admin/api/limits/{subject}"), None).await;
        assert_eq!(status, 200, "{seen}");
        (
            seen["limits"][0]["limit"].as_u64().expect("a limit"),
            seen["limits"][0]["remaining"].as_u64().expect("a rest"),
        )
    };
    assert_eq!(ask(&app, "plain", &question("?")).await.status, 200);
    // The first 12 hex digits of the SHA-256 of `plain`.
    let (limit, rest) = left("key:a116c9ed46d6").await;
    assert!(rest < limit);
    let (limit, rest) = left("key:key-2").await;
    assert_eq!(rest, limit, "a place is nobody");
}

#[tokio::test]
async fn a_keys_models_hold_for_every_model_that_a_body_names() {
    let (ai, app) = start_with_ai(Mode::Memory, &[KEYS]).await;
    for (field, value) in [
        ("models", json!(["test-model", "o3-pro"])),
        ("Models", json!(["o3-pro"])),
        ("fallbacks", json!(["o3-pro"])),
        ("fallbacks", json!([{"model": "o3-pro"}])),
        ("fallbacks", json!([{"test-model": ["o3-pro"]}])),
        ("extra_body", json!({"fallbacks": ["o3-pro"]})),
        ("model", json!("test-model,o3-pro")),
    ] {
        let mut body = question("?");
        body[field] = value;
        let refused = ask(&app, "key-of-the-shop", &body).await;
        let error = refused.error();
        assert_eq!(
            (refused.status, &error["code"], &error["param"]),
            (404, &json!("model_not_found"), &json!(field)),
            "{body}"
        );
        assert!(error["message"].as_str().is_some_and(|message| message.contains("o3-pro")), "{error}");
    }
    assert_eq!(ai.calls(), 0);
    let mut allowed = question("?");
    allowed["fallbacks"] = json!([{"model": "test-small"}]);
    assert_eq!(ask(&app, "key-of-the-shop", &allowed).await.status, 200);
    allowed["fallbacks"] = json!(["o3-pro"]);
    assert_eq!(ask(&app, "key-of-the-lab", &allowed).await.status, 200, "who may ask all");
}

#[tokio::test]
async fn a_once_only_key_is_the_keys_that_sent_it_whatever_it_is_called() {
    // An application that is called as operators are in such places.
    let app = TestApp::start(Mode::Memory, &[("SOPHIE__AUTH__API_KEYS", "operator:key-of-it")]).await;
    let say = async |path: &str, token: &str| {
        let request = app.request("POST", path).bearer_auth(token).header("idempotency-key", "once");
        let reply = Reply::to(request.json(&json!({"text": "Hello.", "author": "a", "role": "operator"}))).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["seq"].as_u64().expect("a place")
    };
    let first = say("/api/groups/g/messages", "key-of-it").await;
    let other = say("/admin/api/groups/g/messages", crate::support::ADMIN_TOKEN).await;
    assert_ne!(first, other);
    assert_eq!(say("/api/groups/g/messages", "key-of-it").await, first);
}
