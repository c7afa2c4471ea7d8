//! What is found in Redis after and during a busy time.

use std::time::Duration;

use redis::{Commands, Connection};
use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};
use tokio::time::Instant;

use crate::support::{Mode, SOON, TestApp, TestServer, eventually};

fn keys(connection: &mut Connection) -> Vec<String> {
    let found: redis::Iter<'_, String> = connection.scan().expect("a scan");
    found.map(|key| key.expect("a key")).collect()
}

/// Keys without a TTL, of all three databases; and how many keys there are.
fn eternal(redis: &TestServer) -> (Vec<String>, usize) {
    let (mut eternal, mut count) = (Vec::new(), 0);
    for db in 0..3 {
        let mut connection = redis.connection(db);
        for key in keys(&mut connection) {
            count += 1;
            let ttl: i64 = connection.ttl(&key).expect("an answer");
            if ttl == -1 {
                eternal.push(format!("{db} {key}"));
            }
        }
    }
    (eternal, count)
}

#[tokio::test]
async fn every_key_has_a_time_to_live_also_while_an_answer_is_under_way() {
    let ai = AiServer::start().await;
    ai.set_default(|| Script::answer("An answer to be kept."));
    let mut app =
        TestApp::patient(Mode::Redis, &[&ai.environment()[..], &[("SOPHIE__LIMITS__ENABLED", "true")]].concat()).await;
    let mut sockets = Vec::new();
    for n in 0..5 {
        let mut socket = app.open(&format!("s{n}")).await;
        socket.ask("j", json!({"type": "group.join", "group": format!("team-{}", n % 2)})).await;
        socket.ask("q", json!({"type": "message.send", "text": format!("Question {n}")})).await;
        socket.event_of("answer.end").await;
        let in_team =
            json!({"type": "message.send", "group": format!("team-{}", n % 2), "text": "hello", "assistant": false});
        assert_eq!(socket.ask("t", in_team).await["type"], "ack");
        sockets.push(socket);
    }
    sockets[0].ask("l", json!({"type": "group.leave", "group": "team-0"})).await;
    let spoken = app.admin("POST", "/admin/api/groups/team-1/messages", Some(json!({"text": "hear"}))).await;
    assert_eq!(spoken.0, 200, "{}", spoken.1);
    app.admin("DELETE", "/admin/api/groups/team-0", None).await;

    let (script, gate) = Script::gated();
    ai.push(script);
    sockets[1].ask("q2", json!({"type": "message.send", "text": "A long one"})).await;
    gate.word("begun ");
    sockets[1].event_of("answer.delta").await;
    eventually("in-flight keys", SOON, async || {
        let found = keys(&mut app.redis().connection(0));
        found.iter().any(|key| key.starts_with("sophie:answer:") && key.ends_with(":text")).then_some(())
    })
    .await;
    let (without, count) = eternal(app.redis());
    assert_eq!(without, Vec::<String>::new());
    assert!(count > 20, "a busy time leaves more than {count} keys");
    gate.finish();
    sockets[1].event_of("answer.end").await;
    let redis = app.redis.take().expect("in Redis mode");
    app.stop().await.expect("a good end");
    let (without, count) = eternal(&redis);
    assert_eq!(without, Vec::<String>::new());
    assert!(count > 20, "what was said outlives the program, {count} keys of it");
}

#[tokio::test]
async fn a_home_group_has_one_member_for_the_node_and_its_lease_is_refreshed() {
    // It is refreshed each quarter of that: long enough to outlive a pause of the machine.
    const EXPIRY: i64 = 6;
    let app = TestApp::patient(Mode::Redis, &[("CHANNEL_GROUP_EXPIRY", "6")]).await;
    let _sockets = (app.open("s1").await, app.open("s1").await);
    let mut connection = app.redis().connection(0);
    let key = "asgi:group:chat_s1";
    let member = eventually("mirrored", SOON, async || {
        let members: Vec<String> = app.redis().connection(0).zrange(key, 0, -1).expect("an answer");
        members.into_iter().next()
    })
    .await;
    let local = member.strip_prefix("sophie.").expect("our kind of channel");
    let (node, local) = local.split_once('!').expect("a node's part");
    assert!(node.len() == 32 && node.bytes().all(|byte| byte.is_ascii_hexdigit()), "{member}");
    assert_eq!(local, "chat_s1");
    assert!(member.len() < 100);

    let score = |connection: &mut Connection| -> f64 { connection.zscore(key, &member).expect("a member") };
    let joined_at = score(&mut connection);
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(8) {
        let members: Vec<String> = connection.zrange(key, 0, -1).expect("an answer");
        assert_eq!(members, [member.as_str()], "after {:?}", since.elapsed());
        let ttl: i64 = connection.ttl(key).expect("an answer");
        assert!((0..=EXPIRY).contains(&ttl), "{ttl}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(score(&mut connection) > joined_at + 2.0, "the member itself is refreshed: Django drops old scores");
}

#[tokio::test]
async fn a_member_of_a_long_group_name_stays_below_the_layers_limit() {
    let app = TestApp::patient(Mode::Redis, &[]).await;
    let mut socket = app.open("s1").await;
    let name = "g".repeat(99);
    assert_eq!(socket.ask("j", json!({"type": "group.join", "group": name})).await["type"], "ack");
    let member = eventually("mirrored", SOON, async || {
        let members: Vec<String> =
            app.redis().connection(0).zrange(format!("asgi:group:{name}"), 0, -1).expect("an answer");
        members.into_iter().next()
    })
    .await;
    assert!(member.len() < 100, "{member}");
    socket.ask("l", json!({"type": "group.leave", "group": name})).await;
    eventually("left", SOON, async || {
        let there: bool = app.redis().connection(0).exists(format!("asgi:group:{name}")).expect("an answer");
        (!there).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_cached_answer_is_json_that_a_django_application_reads() {
    let app = TestApp::patient(Mode::Redis, &[]).await;
    let mut socket = app.open("s1").await;
    socket.ask("q", json!({"type": "message.send", "text": "What is a broker?"})).await;
    let end = socket.event_of("answer.end").await;
    let mut connection = app.redis().connection(2);
    let key = eventually("cached", SOON, async || keys(&mut app.redis().connection(2)).into_iter().next()).await;
    let digest = key.strip_prefix(":1:sophie:answer:").expect("django-redis's form");
    assert!(digest.len() >= 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
    let value: String = connection.get(&key).expect("a string");
    let entry: Value = serde_json::from_str(&value).expect("JSON");
    assert_eq!(entry["text"], end["text"]);
    let ttl: i64 = connection.ttl(&key).expect("an answer");
    assert!((3_000..=3_600).contains(&ttl), "{ttl}");

    let mut other = app.open("s2").await;
    other.ask("q", json!({"type": "message.send", "text": "What is a broker?"})).await;
    assert_eq!(other.event_of("answer.start").await["cache"], "hit");
    assert_eq!(other.event_of("answer.end").await["text"], end["text"]);
}
