//! What guests, keys and users may cost others: limits by address, of reads and joins, and times to come back.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use sophie_kit::ai_server::{Script, finish, word};

use crate::support::{
    JWT, Mode, Reply, SOON, TestApp, TestServer, TestSocket, Token, eventually, question, start_with_ai,
};

const ON: (&str, &str) = ("SOPHIE__LIMITS__ENABLED", "true");
/// Nothing comes back while a test runs.
const SLOW_READS: (&str, &str) = ("SOPHIE__LIMITS__READS_PER_MINUTE", "1");
const SLOW_JOINS: (&str, &str) = ("SOPHIE__LIMITS__JOINS_PER_MINUTE", "1");
const SLOW_MESSAGES: (&str, &str) = ("SOPHIE__LIMITS__USER_MESSAGES_PER_MINUTE", "1");

in_both_modes!(
    the_guests_of_an_address_share_its_tokens_and_who_is_signed_in_does_not,
    reads_have_a_bucket_of_their_own,
    joins_have_a_bucket_of_their_own_and_leaving_is_never_refused,
    refreshes_cost_what_joins_do,
    keys_have_their_own_defaults_and_none_of_their_address,
    each_who_is_refused_is_told_a_time_of_its_own,
    a_backend_that_counts_nonsense_locks_nobody_out,
);

fn ask(text: &str) -> Value {
    json!({"type": "message.send", "text": text})
}

fn note(text: &str) -> Value {
    json!({"type": "message.send", "text": text, "assistant": false})
}

async fn left(app: &TestApp, subject: &str, name: &str) -> u64 {
    let (status, body) = app.admin("GET", &format!("/admin/api/limits/{subject}"), None).await;
    assert_eq!(status, 200, "{body}");
    let limits = body["limits"].as_array().expect("a list");
    let limit = limits.iter().find(|limit| limit["name"] == name).unwrap_or_else(|| panic!("{name} in {body}"));
    limit["remaining"].as_u64().expect("a number")
}

fn is_refused_by(reply: &Value, limit: &str) {
    assert_eq!((&reply["type"], &reply["code"]), (&json!("error"), &json!("rate_limited")), "{reply}");
    assert!(reply["message"].as_str().is_some_and(|message| message.contains(limit)), "{reply}");
    assert!(reply["retry_after_ms"].as_u64().is_some_and(|ms| (1..=120_000).contains(&ms)), "{reply}");
}

/// Sends so many of a command at once; how many were not refused, and a refusal.
async fn flood(socket: &mut TestSocket, many: usize, command: impl Fn(usize) -> Value) -> (usize, Value) {
    for n in 0..many {
        let mut command = command(n);
        command["id"] = format!("f{n}").into();
        socket.send(command).await;
    }
    let (mut passed, mut refused, mut seen) = (0, Value::Null, 0);
    while seen < many {
        let event = socket.event().await;
        if event["id"].as_str().is_some_and(|id| id.starts_with('f')) {
            seen += 1;
            match event["type"] == "error" {
                true => refused = event,
                false => passed += 1,
            }
        }
    }
    (passed, refused)
}

async fn the_guests_of_an_address_share_its_tokens_and_who_is_signed_in_does_not(mode: Mode) {
    let few = ("SOPHIE__LIMITS__ADDRESS_TOKENS_PER_HOUR", "1200");
    let (ai, app) = start_with_ai(mode, &[ON, few]).await;
    ai.set_default(Script::silent);
    // Each question reserves a little more than 500, whatever its session is called.
    for session in ["one", "two"] {
        assert_eq!(app.open(session).await.ask("1", ask("?")).await["type"], "ack");
    }
    is_refused_by(&app.open("three").await.ask("1", ask("?")).await, "tokens an hour of an address");
    let (ai, app) = start_with_ai(mode, &[ON, few, JWT[0], JWT[1]]).await;
    ai.set_default(Script::silent);
    for user in ["alice", "bob", "carol"] {
        let mut socket = app.open_with(user, &format!("?token={}", Token::of(user).sign())).await;
        assert_eq!(socket.ask("1", ask("?")).await["type"], "ack");
    }
    let app = TestApp::patient(mode, &[ON]).await;
    assert_eq!(left(&app, "127.0.0.1", "address_tokens").await, 200_000, "without a setting too");
}

async fn reads_have_a_bucket_of_their_own(mode: Mode) {
    let app = TestApp::patient(mode, &[ON, SLOW_READS]).await;
    let mut socket = app.open("s1").await;
    assert_eq!(socket.ask("m", note("hi")).await["seq"], 1);
    let (passed, refused) = flood(&mut socket, 150, |_| json!({"type": "history.get", "limit": 1})).await;
    assert_eq!((passed, refused), (150, Value::Null));
    // Another socket of the session, and other ways to read, are in the same bucket.
    let mut tab = app.open("s1").await;
    assert_eq!(tab.ask("m", note("hi")).await["seq"], 1, "a repetition");
    assert_eq!(tab.ask("w", json!({"type": "group.members", "group": "chat_s1"})).await["total"], 1);
    let (passed, refused) = flood(&mut tab, 60, |_| json!({"type": "history.get", "limit": 1})).await;
    assert_eq!(passed, 48);
    is_refused_by(&refused, "reads a minute of a user");
    is_refused_by(&tab.ask("w", json!({"type": "group.members", "group": "chat_s1"})).await, "reads a minute");
    // Repetitions are reads; messages and other users are not concerned.
    is_refused_by(&socket.ask("m", note("hi")).await, "reads a minute");
    assert_eq!(socket.ask("n", note("two")).await["seq"], 2);
    assert_eq!(left(&app, "guest:s1", "user_reads").await, 0);
    assert_eq!(app.open("s2").await.ask("h", json!({"type": "history.get"})).await["type"], "history");
    let text = app.request("GET", "/metrics").send().await.expect("a response").text().await.expect("text");
    assert!(text.contains("sophie_refused_total{limit=\"user_reads\"}"), "{text}");
}

async fn joins_have_a_bucket_of_their_own_and_leaving_is_never_refused(mode: Mode) {
    let app = TestApp::patient(mode, &[ON, SLOW_JOINS, SLOW_MESSAGES]).await;
    let mut socket = app.open("s1").await;
    let (passed, refused) = flood(&mut socket, 70, |_| json!({"type": "group.join", "group": "team"})).await;
    assert_eq!(passed, 64);
    is_refused_by(&refused, "joins and refreshes a minute of a user");
    assert_eq!(socket.ask("l", json!({"type": "group.leave", "group": "team"})).await["type"], "ack");
    is_refused_by(&socket.ask("j", json!({"type": "group.join", "group": "team"})).await, "joins");
    assert_eq!(socket.ask("m", note("hi")).await["type"], "ack");
    assert_eq!(left(&app, "guest:s1", "user_messages").await, 4, "nothing was taken of messages");
    // A leave costs what a join does.
    let mut other = app.open("s2").await;
    let turn =
        |n: usize| json!({"type": if n.is_multiple_of(2) { "group.join" } else { "group.leave" }, "group": "team"});
    flood(&mut other, 64, turn).await;
    is_refused_by(&other.ask("j", json!({"type": "group.join", "group": "team"})).await, "joins");
    let off = TestApp::patient(mode, &[SLOW_JOINS, SLOW_READS]).await;
    let mut socket = off.open("s1").await;
    assert_eq!(flood(&mut socket, 100, |_| json!({"type": "group.join", "group": "team"})).await.0, 100);
}

async fn refreshes_cost_what_joins_do(mode: Mode) {
    let app = TestApp::patient(mode, &[ON, SLOW_JOINS, JWT[0], JWT[1]]).await;
    let token = Token::of("alice").sign();
    let mut socket = app.open_with("s1", &format!("?token={token}")).await;
    let (passed, refused) = flood(&mut socket, 66, |_| json!({"type": "auth.refresh", "token": token})).await;
    assert_eq!(passed, 64);
    is_refused_by(&refused, "refreshes");
}

async fn keys_have_their_own_defaults_and_none_of_their_address(mode: Mode) {
    let limits = [
        ON,
        ("SOPHIE__LIMITS__KEY_REQUESTS_PER_MINUTE", "1"),
        ("SOPHIE__LIMITS__ADDRESS_MESSAGES_PER_MINUTE", "1"),
        ("SOPHIE__LIMITS__ADDRESS_TOKENS_PER_HOUR", "1"),
    ];
    // Without a key, as anybody on this machine, and with one.
    for more in [vec![], vec![("SOPHIE__AUTH__API_KEYS", "shop:a-key-of-the-shop")]] {
        let (_ai, app) = start_with_ai(mode, &[&limits[..], &more].concat()).await;
        let replies = join_all((0..70).map(|_| {
            let request = app.request("POST", "/v1/chat/completions").bearer_auth("a-key-of-the-shop");
            Reply::to(request.json(&question("?")))
        }))
        .await;
        let passed = replies.iter().filter(|reply| reply.status == 200).count();
        assert_eq!(passed, 60, "{:?}", replies.iter().map(|reply| reply.status).collect::<Vec<_>>());
        assert!(replies.iter().any(|reply| reply.header("x-ratelimit-limit-requests") == "60"));
    }
}

async fn each_who_is_refused_is_told_a_time_of_its_own(mode: Mode) {
    let key = r#"[{"name": "shop", "key": "k", "requests_per_minute": 4}]"#;
    let (_ai, app) = start_with_ai(mode, &[ON, ("SOPHIE__AUTH__KEY", key)]).await;
    let one =
        async || Reply::to(app.request("POST", "/v1/chat/completions").bearer_auth("k").json(&question("?"))).await;
    let replies = join_all((0..8).map(|_| one())).await;
    let mut waits: Vec<u64> = replies
        .iter()
        .filter(|reply| reply.status == 429)
        .map(|reply| {
            let (ms, seconds) = (reply.header("retry-after-ms"), reply.header("retry-after"));
            let ms: u64 = ms.parse().unwrap_or_else(|_| panic!("milliseconds: {reply:?}"));
            assert_eq!(seconds, ms.div_ceil(1_000).to_string());
            ms
        })
        .collect();
    waits.sort_unstable();
    assert_eq!(waits.len(), 4, "{replies:?}");
    // One comes back in 15 s, and so does the next behind it; each is told from its own moment on, and there may be a pause between two.
    assert!(waits.windows(2).all(|pair| pair[1] - pair[0] > 10_000), "{waits:?}");
    assert!(waits[0] <= 15_000 && waits[3] <= 61_000, "{waits:?}");
}

async fn a_backend_that_counts_nonsense_locks_nobody_out(mode: Mode) {
    let key = r#"[{"name": "shop", "key": "k", "tokens_per_hour": 5000}]"#;
    let (ai, app) = start_with_ai(mode, &[ON, ("SOPHIE__AUTH__KEY", key), ("SOPHIE__CACHE__ENABLED", "false")]).await;
    let one = async |text: &str| {
        Reply::to(app.request("POST", "/v1/chat/completions").bearer_auth("k").json(&question(text))).await
    };
    let whole = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":
        {"role":"assistant","content":"hi"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":18446744073709551615,"completion_tokens":18446744073709551615,"total_tokens":18446744073709551615}}"#;
    for n in 0..3 {
        ai.push(Script::respond(200, &[("content-type", "application/json")], whole));
        let reply = one(&format!("question {n}")).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    let stream = Script::stream().event(&word("hi")).event(&finish("stop"));
    let nonsense = json!({"prompt_tokens": u64::MAX, "completion_tokens": u64::MAX, "total_tokens": u64::MAX});
    ai.push(stream.event(&json!({"choices": [], "usage": nonsense}).to_string()).done());
    let mut socket = app.open("s1").await;
    let end = crate::support::Answer::to(&mut socket, "1", "?").await.end;
    assert!(end["usage"]["total_tokens"].as_u64().is_some_and(|total| total < 10_000), "{end}");
    eventually("settled", SOON, async || (left(&app, "key:shop", "key_tokens").await > 1_000).then_some(())).await;
    let told = eventually("counted", SOON, async || {
        let (_, told) = app.admin("GET", "/admin/api/usage", None).await;
        (told["total"]["answers"] == 4).then_some(told)
    });
    let told = told.await;
    assert!(told["total"]["completion_tokens"].as_u64().is_some_and(|tokens| tokens < 10_000), "{told}");
    let text = app.request("GET", "/metrics").send().await.expect("a response").text().await.expect("text");
    assert!(text.contains("sophie_store_failures_total{call=\"usage\"} 0"), "the sums could be written: {text}");
    let nonsense = |line: &&str| {
        line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok()).is_none_or(|value| value > 1e15)
    };
    let nonsense: Vec<&str> = text.lines().filter(|line| !line.starts_with(['#', 'p'])).filter(nonsense).collect();
    assert!(nonsense.is_empty(), "figures: {nonsense:?}");
}

#[tokio::test]
async fn a_clock_that_went_back_refuses_nobody_for_longer_than_a_bucket_is() {
    // One comes back in five seconds: what is kept of it outlasts a pause of the machine.
    let app = TestApp::patient(Mode::Redis, &[ON, ("SOPHIE__LIMITS__USER_MESSAGES_PER_MINUTE", "12")]).await;
    let mut socket = app.open("s1").await;
    assert_eq!(socket.ask("1", note("hi")).await["type"], "ack");
    // What was written before the clock was set back stands so far ahead.
    let mut redis = app.redis().connection(0);
    let keys: Vec<String> = redis::cmd("KEYS").arg("sophie:limit:*").query(&mut redis).expect("listed");
    assert!(keys.iter().any(|key| key.contains("user:guest:s1:messages")), "{keys:?}");
    for key in keys {
        // Those of faster limits may be over by now.
        let at: Option<u64> = redis::cmd("GET").arg(&key).query(&mut redis).expect("a number");
        let Some(at) = at else { continue };
        redis::cmd("SET").arg(&key).arg(at + 900_000_000).arg("EX").arg(1_000).query::<()>(&mut redis).expect("set");
    }
    let refused = socket.ask("2", note("hi")).await;
    is_refused_by(&refused, "");
    assert!(refused["retry_after_ms"].as_u64() <= Some(5_000), "{refused}");
    tokio::time::sleep(Duration::from_millis(5_100)).await;
    assert_eq!(socket.ask("2", note("hi")).await["type"], "ack");
}

#[tokio::test]
async fn a_session_gets_no_more_reads_by_going_to_several_nodes() {
    let redis = TestServer::start();
    let nodes =
        join_all((0..3).map(async |n| TestApp::one_of(&redis, &format!("n{n}"), &[ON, SLOW_READS]).await)).await;
    let mut sockets = join_all(nodes.iter().map(|node| node.open("s1"))).await;
    let floods = sockets.iter_mut().map(|socket| flood(socket, 120, |_| json!({"type": "history.get", "limit": 1})));
    let passed: usize = join_all(floods).await.iter().map(|(passed, _)| *passed).sum();
    assert!((150..=200).contains(&passed), "{passed} of 360");
}
