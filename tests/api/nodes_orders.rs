//! What one node is told to do is done at all of them, also at one that does not hear the others, and is confirmed when it
//! is done.

use std::time::Duration;

use redis::Commands;
use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};
use tokio::time::sleep;

use crate::support::{Broker, Feeds, Hearing, SOON, TestApp, TestServer, TestSocket, eventually, until};

/// Two nodes; what the second hears of the first goes through a proxy.
async fn nodes(environment: &[(&str, &str)]) -> (TestServer, Feeds, TestApp, TestApp) {
    let redis = TestServer::start();
    let feeds = Feeds::before(redis.port());
    let url = feeds.url();
    let one = TestApp::one_of(&redis, "n0", environment).await;
    let environment = [&[("REDIS_URL", url.as_str())], environment].concat();
    let other = TestApp::one_of(&redis, "n1", &environment).await;
    (redis, feeds, one, other)
}

/// How often an order is given of which a node's word is waited for two seconds: a machine that pauses takes longer for once.
const TRIES: usize = 5;

/// Whether an order was confirmed as it should be. Else it must have been said that the second node has yet to do it.
fn is_confirmed(tries: usize, status: u16, body: &Value, expected: &Value) -> bool {
    if status == 202 && tries < TRIES {
        assert_eq!(body["pending"], json!(["n1"]), "{body}");
        return false;
    }
    assert_eq!((status, body), (200, expected));
    true
}

async fn join(socket: &mut TestSocket, group: &str) {
    let reply = socket.insist_on("join", json!({"type": "group.join", "group": group})).await;
    assert_eq!(reply["type"], "ack", "{reply}");
}

/// Waits until Redis knows that a session is at so many nodes: before that nobody there is waited for.
async fn known(redis: &TestServer, session: &str, nodes: usize) {
    let key = format!("sophie:here:{session}");
    eventually("the session to be known", SOON, async || {
        let rows: usize = redis.connection(0).hlen(&key).expect("a hash");
        (rows == nodes).then_some(())
    })
    .await;
}

/// The same, and a session with a socket at each of them, in `team`; then the second node hears nothing any more.
async fn split() -> ((TestServer, Feeds, TestApp, TestApp), [TestSocket; 2]) {
    let (redis, feeds, one, other) = nodes(&[]).await;
    let (mut here, mut there) = (one.open("s1").await, other.open("s1").await);
    join(&mut here, "team").await;
    there.event_of("group.joined").await;
    known(&redis, "s1", 2).await;
    feeds.set(Hearing::Cut).await;
    ((redis, feeds, one, other), [here, there])
}

#[tokio::test]
async fn a_session_is_disconnected_at_a_node_that_hears_nothing() {
    let (redis, feeds, one, other) = nodes(&[]).await;
    for n in 1..=TRIES {
        let session = format!("s{n}");
        let mut socket = other.open(&session).await;
        known(&redis, &session, 1).await;
        feeds.set(Hearing::Cut).await;
        let (status, body) = one.admin("DELETE", &format!("/admin/api/sessions/{session}"), None).await;
        assert_eq!(socket.closing().await["code"], 4502);
        if is_confirmed(n, status, &body, &json!({"session": session, "closed": 1})) {
            break;
        }
    }
    // It was done once.
    let _socket = other.open("s1").await;
    let (status, _) = one.admin("DELETE", "/admin/api/sessions/nobody", None).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn who_came_back_after_the_order_stays() {
    let (redis, feeds, one, other) = nodes(&[]).await;
    let old = other.open("s1").await;
    known(&redis, "s1", 1).await;
    feeds.set(Hearing::Cut).await;
    let order = async { one.admin("DELETE", "/admin/api/sessions/s1", None).await };
    let back = async {
        eventually("the order to be given", SOON, async || {
            let orders: usize = redis.connection(0).xlen("sophie:orders").expect("a stream");
            (orders == 1).then_some(())
        })
        .await;
        sleep(Duration::from_millis(5)).await;
        other.open("s1").await
    };
    let ((status, body), mut new) = tokio::join!(order, back);
    // Its node may have been paused for so long that its word did not come in time: what matters is whom it meets.
    assert!(status == 200 || status == 202, "{body}");
    drop(old);
    feeds.set(Hearing::Good).await;
    // Two looks at the orders later.
    sleep(Duration::from_millis(2_200)).await;
    assert_eq!(new.say("1", "still here").await["type"], "ack");
}

#[tokio::test]
async fn a_session_leaves_and_enters_at_a_node_that_hears_nothing() {
    let ((_redis, _feeds, _one, other), [mut here, mut there]) = split().await;
    let in_group = |group: &str| {
        let groups = other.node().roster.groups_of(&sophie_actors::ids::SessionId::parse("s1").expect("legal"));
        groups.iter().any(|it| it.as_str() == group)
    };
    for n in 1..=TRIES {
        let left = here.ask("leave", json!({"type": "group.leave", "group": "team"})).await;
        if n == TRIES || left["pending"] != true {
            assert_eq!(left, json!({"type": "ack", "id": "leave"}), "and nothing is pending");
            break;
        }
        // Its node was paused for longer than its word is waited for: back in, and once more.
        until("it has left there too", SOON, || !in_group("team")).await;
        join(&mut here, "team").await;
        until("it is back there too", SOON, || in_group("team")).await;
    }
    let refused = there.ask("m", json!({"type": "message.send", "group": "team", "text": "x"})).await;
    assert_eq!(refused["code"], "not_member", "{refused}");
    join(&mut here, "club").await;
    let club = json!({"type": "message.send", "group": "club", "text": "x", "assistant": false});
    until("the other socket is in it too", SOON, || in_group("club")).await;
    assert_eq!(there.insist_on("n", club).await["type"], "ack");
}

#[tokio::test]
async fn orders_that_were_overtaken_change_nothing() {
    let ((_redis, feeds, _one, _other), [mut here, mut there]) = split().await;
    // Left and joined again before the other node looks.
    let leave = json!({"type": "group.leave", "group": "team", "id": "leave"});
    here.send(leave).await;
    join(&mut here, "team").await;
    feeds.set(Hearing::Good).await;
    sleep(Duration::from_millis(2_200)).await;
    let said = json!({"type": "message.send", "group": "team", "text": "x", "assistant": false});
    assert_eq!(there.insist_on("m", said).await["type"], "ack");
}

#[tokio::test]
async fn an_answer_of_a_node_that_hears_nothing_is_cancelled() {
    let ai = AiServer::start().await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let backend = ai.environment();
    let (_redis, feeds, one, other) = nodes(&backend).await;
    let (mut asker, mut watcher) = (other.open("asker").await, one.open("watcher").await);
    join(&mut asker, "team").await;
    join(&mut watcher, "team").await;
    asker.send(json!({"type": "message.send", "id": "q", "group": "team", "text": "Tell me."})).await;
    let answer = watcher.event_of("answer.start").await["answer"].clone();
    gate.word("so far");
    watcher.event_of("answer.delta").await;
    feeds.set(Hearing::Cut).await;
    watcher.send(json!({"type": "answer.cancel", "id": "c", "answer": answer})).await;
    // Which of them comes first is open.
    let (mut acked, mut ended) = (false, false);
    while !(acked && ended) {
        let event = watcher.event().await;
        acked |= event == json!({"type": "ack", "id": "c"});
        ended |= event["type"] == "answer.end" && event["finish_reason"] == "cancelled";
        assert_ne!(event["type"], "error", "{event}");
    }
    let again = watcher.ask("d", json!({"type": "answer.cancel", "answer": answer})).await;
    assert_eq!(again["code"], "not_found", "{again}");
}

#[tokio::test]
async fn a_group_ends_at_a_node_that_hears_nothing() {
    let (redis, feeds, one, other) = nodes(&[]).await;
    let mut socket = other.open("s1").await;
    for n in 1..=TRIES {
        let group = format!("team-{n}");
        join(&mut socket, &group).await;
        eventually("the member to be known", SOON, async || {
            let nodes: usize = redis.connection(0).hlen(format!("sophie:at:{group}")).expect("a hash");
            (nodes == 1).then_some(())
        })
        .await;
        feeds.set(Hearing::Cut).await;
        let (status, body) = one.admin("DELETE", &format!("/admin/api/groups/{group}"), None).await;
        assert_eq!(socket.event_of("group.left").await["group"], group);
        let refused = socket.ask("m", json!({"type": "message.send", "group": group, "text": "x"})).await;
        assert_eq!(refused["code"], "not_member", "{refused}");
        if is_confirmed(n, status, &body, &json!({"group": group, "left": 1})) {
            break;
        }
    }
}

#[tokio::test]
async fn what_a_node_that_is_away_has_yet_to_do_is_said_and_done() {
    let redis = TestServer::start();
    let url = redis.url(0);
    let mut brokers = Vec::new();
    for name in ["n0", "n1"] {
        let own = [("USE_REDIS", "true"), ("REDIS_URL", url.as_str()), ("SOPHIE__SERVER__NODE", name)];
        brokers.push(Broker::start(0, &own).await);
    }
    let mut socket = TestSocket::open(brokers[1].address, "s1", "").await;
    known(&redis, "s1", 1).await;
    brokers[1].signal("-STOP");
    // On a busy machine Redis may be late just then, which is told by 503.
    let (status, body) = eventually("an order that is taken", SOON, async || {
        let (status, body) = brokers[0].send("DELETE", "/admin/api/sessions/s1").await;
        (status != 503).then_some((status, body))
    })
    .await;
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, body), (202, json!({"session": "s1", "closed": 0, "pending": ["n1"]})));
    brokers[1].signal("-CONT");
    assert_eq!(socket.closing().await["code"], 4502);
}
