//! Redis goes away under the running program: killed, frozen, emptied.

use std::time::Duration;

use redis::Commands;
use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite;

use crate::support::{Client, Mode, SOON, TestApp, TestServer, TestSocket, eventually};

async fn readiness(app: &TestApp) -> (u16, Value) {
    let response = app.request("GET", "/health/ready").send().await.expect("a response");
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

async fn until_readiness_is(app: &TestApp, status: u16) -> Value {
    eventually("readiness", SOON, async || {
        let (now, body) = readiness(app).await;
        (now == status).then_some(body)
    })
    .await
}

async fn texts(socket: &mut TestSocket, group: &str) -> Vec<String> {
    let history = socket.insist_on("h", json!({"type": "history.get", "group": group, "limit": 100})).await;
    let events = history["events"].as_array().unwrap_or_else(|| panic!("{history}"));
    events.iter().filter_map(|event| event["message"]["text"].as_str().map(str::to_owned)).collect()
}

/// The one member of a group in the channel layer, once this node is in it again.
async fn until_mirrored(redis: &TestServer, group: &str) -> String {
    let key = format!("asgi:group:{group}");
    eventually("mirrored", SOON, async || {
        let members: Vec<String> = redis.connection(0).zrange(&key, 0, -1).expect("an answer");
        assert!(members.len() < 2, "one node, one member: {members:?}");
        members.into_iter().next()
    })
    .await
}

async fn refused_connect(app: &TestApp, session: &str) -> u16 {
    match tokio_tungstenite::connect_async(TestSocket::request(app.address(), session, "")).await {
        Err(tungstenite::Error::Http(response)) => {
            assert!(response.headers().contains_key("retry-after"), "a 503 says when to come back");
            response.status().as_u16()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn while_redis_is_dead_sockets_stay_open_and_sends_are_refused_at_once() {
    let mut app = TestApp::start(Mode::Redis, &[]).await;
    let mut socket = app.open("s1").await;
    // On a busy machine Redis may be late before it goes away: what comes before the fault is insisted on.
    assert_eq!(socket.insist("m1", "before").await["seq"], 1);
    until_readiness_is(&app, 200).await;

    app.redis.as_mut().expect("in Redis mode").kill();
    let since = Instant::now();
    for n in 0..50 {
        let id = format!("away{n}");
        socket.send(json!({"type": "message.send", "id": id, "text": "lost", "assistant": n % 2 == 0})).await;
    }
    for n in 0..50 {
        let reply = socket.reply(&format!("away{n}")).await;
        assert_eq!(reply["code"], "store_unavailable", "{reply}");
    }
    assert!(since.elapsed() < SOON, "50 refusals took {:?}", since.elapsed());
    let history = socket.ask("h", json!({"type": "history.get"})).await;
    assert_eq!(history["code"], "store_unavailable", "{history}");
    assert_eq!(socket.ask("p", json!({"type": "ping"})).await["type"], "pong");

    let body = until_readiness_is(&app, 503).await;
    assert!(!body["reasons"].as_array().expect("reasons").is_empty(), "{body}");
    assert_eq!(app.request("GET", "/health/live").send().await.expect("a response").status(), 200);
    assert_eq!(refused_connect(&app, "s2").await, 503);
    assert_eq!(app.admin("GET", "/admin/api/groups", None).await.0, 503);
    let said = app.admin("POST", "/admin/api/groups/chat_s1/messages", Some(json!({"text": "x"}))).await;
    assert_eq!((said.0, &said.1["error"]["code"]), (503, &json!("store_unavailable")));
}

#[tokio::test]
async fn redis_that_comes_back_empty_is_told_to_sockets_and_filled_again() {
    let mut app = TestApp::start(Mode::Redis, &[]).await;
    let (mut asker, mut watcher) = (app.open("s1").await, app.open("s1").await);
    for group in ["team-7", "team-8"] {
        asker.insist_on(group, json!({"type": "group.join", "group": group})).await;
    }
    let member = until_mirrored(app.redis(), "chat_s1").await;
    asker.insist("m1", "before").await;
    app.redis.as_mut().expect("in Redis mode").kill();
    assert_eq!(asker.say("m2", "meanwhile").await["code"], "store_unavailable");
    app.redis.as_mut().expect("in Redis mode").launch();

    let old = asker.ready["epoch"].clone();
    let ack = asker.insist("m2", "meanwhile").await;
    assert_eq!(ack["seq"], 1, "a new log");
    assert_eq!(asker.insist("m2", "meanwhile").await, ack, "once more is no second message");
    let reset = loop {
        let reset = watcher.event_of("log.reset").await;
        if reset["group"] == "chat_s1" {
            break reset;
        }
    };
    assert_ne!(reset["epoch"], old);
    let message = watcher.event_of("message").await;
    assert_eq!((&message["seq"], &message["message"]["text"]), (&json!(1), &json!("meanwhile")));
    assert_eq!(texts(&mut asker, "chat_s1").await, ["meanwhile"]);
    assert_eq!(until_mirrored(app.redis(), "chat_s1").await, member);
    for group in ["team-7", "team-8"] {
        until_mirrored(app.redis(), group).await;
    }
    until_readiness_is(&app, 200).await;
    app.open("s2").await;
}

#[tokio::test]
async fn a_frozen_redis_is_waited_for_no_longer_than_its_budget_and_each_retry_is_logged_once() {
    let app = TestApp::start(Mode::Redis, &[]).await;
    let (mut asker, mut watcher) = (app.open("s1").await, app.open("s1").await);
    asker.insist("m0", "before").await;
    app.redis().freeze();
    let since = Instant::now();
    for n in 1..=20 {
        let command =
            json!({"type": "message.send", "id": format!("m{n}"), "text": format!("t{n}"), "assistant": false});
        asker.send(command).await;
    }
    for n in 1..=20 {
        let reply = asker.reply(&format!("m{n}")).await;
        assert_eq!(reply["code"], "store_unavailable", "{reply}");
    }
    // One budget of 2 s, not twenty; the rest is for a busy machine.
    assert!(since.elapsed() < SOON, "20 refusals took {:?}", since.elapsed());
    println!("20 sends to a frozen Redis were refused within {:?}", since.elapsed());
    until_readiness_is(&app, 503).await;
    assert_eq!(refused_connect(&app, "s2").await, 503);

    app.redis().thaw();
    for n in 1..=20 {
        asker.insist(&format!("m{n}"), &format!("t{n}")).await;
    }
    let mut logged = texts(&mut asker, "chat_s1").await;
    assert_eq!(logged.remove(0), "before");
    let mut expected: Vec<String> = (1..=20).map(|n| format!("t{n}")).collect();
    let mut seen = Vec::new();
    for seq in 1..=21 {
        let event = watcher.event_of("message").await;
        assert_eq!(event["seq"], seq, "in order, without a hole");
        seen.push(event["message"]["text"].as_str().expect("text").to_owned());
    }
    assert_eq!(seen[1..], logged, "what is logged has been delivered");
    expected.sort();
    logged.sort();
    assert_eq!(logged, expected);
    until_readiness_is(&app, 200).await;
}

/// Says "said once" as `m1` while Redis is busy for less than an append may take and longer than all else may: what the
/// other session asks for breaks the connection under the append, which is carried out all the same. Where the machine pauses
/// meanwhile, the connection may be gone before the append was sent, and nothing was lost: then once more.
async fn lose_an_acknowledgement(app: &TestApp, asker: &mut TestSocket, other: &mut TestSocket) -> Value {
    for _ in 0..10 {
        // Redis knows the scripts by now: what is sent is carried out at once.
        asker.insist("m0", "before").await;
        other.insist_on("h", json!({"type": "history.get"})).await;
        let mut connection = app.redis().connection(0);
        let busy = std::thread::spawn(move || {
            let spin = "local function now() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end
                        local start = now() while now() - start < 400000 do end return 1";
            redis::cmd("EVAL").arg(spin).arg(0).query::<i64>(&mut connection).expect("done")
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        asker.send(json!({"type": "message.send", "id": "m1", "text": "said once", "assistant": false})).await;
        other.ask("h", json!({"type": "history.get"})).await;
        let reply = asker.reply("m1").await;
        busy.join().expect("no panic");
        let logged: usize = app.redis().connection(0).xlen("sophie:log:chat_s1").expect("a stream");
        if logged == 2 {
            return reply;
        }
    }
    panic!("the append never reached Redis")
}

async fn assert_said_once(watcher: &mut TestSocket) {
    assert_eq!(watcher.event_of("message").await["message"]["text"], "before");
    let message = watcher.event_of("message").await;
    assert_eq!((&message["seq"], &message["message"]["text"]), (&json!(2), &json!("said once")));
}

#[tokio::test]
async fn a_message_whose_acknowledgement_was_lost_reaches_everybody_when_it_is_sent_again() {
    let app = TestApp::start(Mode::Redis, &[]).await;
    let (mut asker, mut watcher, mut other) = (app.open("s1").await, app.open("s1").await, app.open("s2").await);
    lose_an_acknowledgement(&app, &mut asker, &mut other).await;
    assert_eq!(asker.insist("m1", "said once").await["seq"], 2);
    assert_said_once(&mut watcher).await;
}

#[tokio::test]
async fn a_message_whose_acknowledgement_was_lost_reaches_everybody_though_nobody_sends_it_again() {
    let app = TestApp::start(Mode::Redis, &[]).await;
    let (mut asker, mut watcher, mut other) = (app.open("s1").await, app.open("s1").await, app.open("s2").await);
    let reply = lose_an_acknowledgement(&app, &mut asker, &mut other).await;
    println!("the reply: {reply}");
    assert_said_once(&mut watcher).await;
}

/// The gated AI server and a program that asks it.
async fn with_gated_ai(ai: &AiServer) -> TestApp {
    let environment = ai.environment();
    TestApp::start(Mode::Redis, &environment).await
}

#[tokio::test]
async fn an_answer_goes_on_while_redis_is_dead_and_its_end_is_logged_after_the_return() {
    let ai = AiServer::start().await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut app = with_gated_ai(&ai).await;
    let mut socket = app.open("s1").await;
    socket.insist_on("q", json!({"type": "message.send", "text": "Tell me."})).await;
    gate.word("one ");
    socket.event_of("answer.delta").await;

    app.redis.as_mut().expect("in Redis mode").kill();
    until_readiness_is(&app, 503).await;
    gate.word("two");
    let delta = socket.event_of("answer.delta").await;
    assert_eq!((&delta["offset"], &delta["text"]), (&json!(4), &json!("two")));
    gate.finish();
    ai.wait_finished(0, SOON).await;
    assert_eq!(socket.ask("p", json!({"type": "ping"})).await["type"], "pong");

    app.redis.as_mut().expect("in Redis mode").launch();
    let end = socket.event_of("answer.end").await;
    assert_eq!(end["text"], "one two");
    until_readiness_is(&app, 200).await;
    let history = socket.insist_on("h", json!({"type": "history.get"})).await;
    let ends = history["events"].as_array().expect("events").iter().filter(|event| event["type"] == "answer.end");
    assert_eq!(ends.count(), 1, "{history}");
}

#[tokio::test]
async fn an_answer_that_ended_while_redis_was_frozen_is_logged_once() {
    let ai = AiServer::start().await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let app = with_gated_ai(&ai).await;
    let mut socket = app.open("s1").await;
    socket.insist_on("q", json!({"type": "message.send", "text": "Tell me."})).await;
    gate.word("one ");
    socket.event_of("answer.delta").await;
    app.redis().freeze();
    gate.word("two");
    gate.finish();
    socket.event_of("answer.delta").await;
    until_readiness_is(&app, 503).await;
    app.redis().thaw();
    let end = socket.event_of("answer.end").await;
    assert_eq!((&end["text"], &end["seq"]), (&json!("one two"), &json!(2)));
    assert_eq!(socket.insist("after", "after").await["seq"], 3);
    assert_eq!(socket.event_of("message").await["seq"], 3, "nothing stood between");
}

#[tokio::test]
async fn flushing_everything_under_live_sessions_begins_new_logs() {
    let app = TestApp::start(Mode::Redis, &[]).await;
    let (mut asker, mut watcher) = (app.open("s1").await, app.open("s1").await);
    asker.insist_on("j", json!({"type": "group.join", "group": "team-7"})).await;
    for n in 1..=5 {
        assert_eq!(asker.insist(&format!("m{n}"), "before").await["seq"], n);
    }
    let _: () = redis::cmd("FLUSHALL").query(&mut app.redis().connection(0)).expect("flushed");
    let mut groups = vec![watcher.event_of("log.reset").await["group"].clone()];
    groups.push(watcher.event_of("log.reset").await["group"].clone());
    groups.sort_by_key(|group| group.to_string());
    assert_eq!(groups, ["chat_s1", "team-7"]);
    assert_eq!(asker.insist("m1", "before").await["seq"], 1, "the id was forgotten with the log");
    let message = watcher.event_of("message").await;
    assert_eq!((&message["seq"], &message["message"]["text"]), (&json!(1), &json!("before")));
    for group in ["chat_s1", "team-7"] {
        until_mirrored(app.redis(), group).await;
    }
    let asked = asker.insist_on("q", json!({"type": "message.send", "text": "Hello"})).await;
    assert_eq!(asked["seq"], 2);
    assert_eq!(asker.event_of("answer.end").await["seq"], 3);
}

#[tokio::test]
async fn memberships_of_live_sessions_are_recorded_anew_when_redis_has_lost_them() {
    let app = TestApp::start(Mode::Redis, &[("SOPHIE__SESSION__IDLE_SECONDS", "1")]).await;
    let mut socket = app.open("s1").await;
    socket.insist_on("j", json!({"type": "group.join", "group": "team-7"})).await;
    let _: () = redis::cmd("FLUSHALL").query(&mut app.redis().connection(0)).expect("flushed");
    eventually("recorded", SOON, async || {
        let recorded: bool = app.redis().connection(0).hexists("sophie:session:s1", "g:team-7").expect("an answer");
        recorded.then_some(())
    })
    .await;
    drop(socket);
    eventually("forgotten by the node", SOON, async || (app.node().roster.count().sessions == 0).then_some(())).await;
    assert_eq!(app.open("s1").await.ready["groups"], json!(["chat_s1", "team-7"]));
}

#[tokio::test]
async fn the_program_starts_without_redis_and_takes_sessions_once_it_is_there() {
    let mut server = TestServer::absent();
    let url = server.url(0);
    let broker = crate::support::Broker::start(0, &[("USE_REDIS", "true"), ("REDIS_URL", &url)]).await;
    let ready = format!("http://{}/health/ready", broker.address);
    let http = Client::new();
    assert_eq!(http.get(&ready).send().await.expect("a response").status(), 503);
    server.launch();
    eventually("ready", SOON, async || {
        let response = http.get(&ready).send().await.expect("a response");
        (response.status() == 200).then_some(())
    })
    .await;
    let mut socket = TestSocket::open(broker.address, "s1", "").await;
    assert_eq!(socket.insist("m1", "hello").await["seq"], 1);
}
