//! Nodes that die, connections that are cut and a Redis that comes back empty, with several nodes under load: what the
//! tests count is what the protocol promises.

use std::time::Duration;

use redis::Commands;
use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::{Broker, SOON, TestApp, TestServer, TestSocket, eventually};

/// What the protocol promises of a node that died: its answers' ends, and its members' going.
const INTERRUPTED_WITHIN: Duration = Duration::from_secs(15);
const GONE_WITHIN: Duration = Duration::from_secs(30);

async fn brokers<const N: usize>(redis: &TestServer, environment: &[(&str, &str)]) -> [Broker; N] {
    let url = redis.url(0);
    let mut nodes = Vec::new();
    for n in 0..N {
        let name = format!("n{n}");
        let own = [
            ("USE_REDIS", "true"),
            ("REDIS_URL", url.as_str()),
            ("SOPHIE__SERVER__NODE", name.as_str()),
            ("SOPHIE__SESSION__LOG_EVENTS", "100000"),
        ];
        nodes.push(Broker::start(0, &[&own[..], environment].concat()).await);
    }
    let Ok(nodes) = nodes.try_into() else { unreachable!("as many as were asked for") };
    nodes
}

async fn member(node: &Broker, session: &str) -> TestSocket {
    let mut socket = TestSocket::open(node.address, session, "").await;
    let reply = socket.insist_on("join", json!({"type": "group.join", "group": "team"})).await;
    assert_eq!(reply["type"], "ack", "{reply}");
    socket
}

fn says(text: &str) -> Value {
    json!({"type": "message.send", "group": "team", "text": text, "assistant": false})
}

#[tokio::test]
async fn a_node_that_dies_takes_its_members_and_answers_with_it_and_its_clients_go_on_elsewhere() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    let (script, gate) = Script::gated();
    ai.push(script);
    let backend = ai.environment();
    let [mut dying, living] = brokers::<2>(&redis, &backend).await;
    let mut asker = member(&dying, "asker").await;
    let _silent = member(&dying, "silent").await;
    let mut follower = member(&living, "follower").await;
    let mut second = member(&living, "second").await;
    let question = json!({"type": "message.send", "group": "team", "text": "Tell me."});
    let ack = asker.insist_on("q", question).await;
    let start = follower.event_of("answer.start").await;
    gate.word("so ");
    gate.word("far");
    let mut shown = String::new();
    while shown != "so far" {
        shown += follower.event_of("answer.delta").await["text"].as_str().expect("text");
    }
    dying.signal("-KILL");
    dying.wait(SOON);
    let died = Instant::now();

    let end = loop {
        let event = follower.event_within(INTERRUPTED_WITHIN).await;
        if event["type"] == "answer.error" {
            break event;
        }
    };
    assert!(died.elapsed() < INTERRUPTED_WITHIN, "{:?}", died.elapsed());
    println!("interrupted {:?} after the kill", died.elapsed());
    assert_eq!(
        (&end["code"], &end["text"], &end["answer"]),
        (&json!("interrupted"), &json!("so far"), &start["answer"])
    );
    assert_eq!(second.event_of("answer.error").await, end, "the same for everyone");
    for socket in [&mut follower, &mut second] {
        assert!(socket.settled().await.iter().all(|event| event["type"] != "answer.error"), "told once");
    }
    loop {
        let members = follower.ask("m", json!({"type": "group.members", "group": "team"})).await;
        if members["total"] == 2 {
            break println!("its members are gone {:?} after the kill", died.elapsed());
        }
        assert!(died.elapsed() < GONE_WITHIN, "{members}");
        sleep(Duration::from_millis(50)).await;
    }
    eventually("Django does not write to the dead", GONE_WITHIN, async || {
        let in_layer: Vec<String> = redis.connection(0).zrange("asgi:group:team", 0, -1).expect("an answer");
        (in_layer.len() == 1).then_some(())
    })
    .await;

    // The asker's session goes on at the other node, with what it missed, and asks again.
    let mut back = TestSocket::open(living.address, "asker", "").await;
    assert_eq!(back.ready["groups"], json!(["chat_asker", "team"]));
    let log = back.ready["logs"]["team"]["epoch"].clone();
    let join = json!({"type": "group.join", "group": "team", "since": ack["seq"], "epoch": log});
    assert_eq!(back.insist_on("j", join).await["recovered"], true);
    assert_eq!(back.event_of("answer.error").await["seq"], end["seq"]);
    ai.set_default(|| Script::answer("The whole answer."));
    let retry = json!({"type": "answer.retry", "message": ack["message"]});
    assert_eq!(back.insist_on("r", retry).await["type"], "ack");
    assert_eq!(follower.event_of("answer.end").await["text"], "The whole answer.");
}

/// What one listener heard: `(seq, text)`, in the order in which it came.
type Heard = Vec<(u64, String)>;

/// Listens until everything was heard.
async fn listen(mut socket: TestSocket, count: usize) -> Heard {
    let mut heard = Vec::new();
    while heard.len() < count {
        let event = socket.event_of("message").await;
        heard
            .push((event["seq"].as_u64().expect("a seq"), event["message"]["text"].as_str().expect("text").to_owned()));
    }
    assert!(socket.settled().await.iter().all(|event| event["type"] != "message"), "nothing came twice");
    heard
}

/// Says everything in turn, each until it is acknowledged.
async fn speak(mut socket: TestSocket, speaker: usize, count: usize, pause: Duration) {
    for n in 0..count {
        let reply = socket.insist_on(&format!("m{n}"), says(&format!("{speaker}-{n}"))).await;
        assert_eq!(reply["type"], "ack", "{reply}");
        sleep(pause).await;
    }
}

/// Everything once, without a hole, in one order for all, each speaker's in the order in which it was said.
fn assert_complete(heard: &[Heard], speakers: usize, each: usize) {
    let seqs: Vec<u64> = heard[0].iter().map(|(seq, _)| *seq).collect();
    assert_eq!(seqs, (1..=(speakers * each) as u64).collect::<Vec<_>>());
    for other in heard {
        assert_eq!(other, &heard[0]);
    }
    for speaker in 0..speakers {
        let prefix = format!("{speaker}-");
        let own: Vec<&str> =
            heard[0].iter().filter(|(_, text)| text.starts_with(&prefix)).map(|(_, text)| text.as_str()).collect();
        assert_eq!(own, (0..each).map(|n| format!("{speaker}-{n}")).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn connections_to_redis_that_are_cut_every_quarter_of_a_second_lose_double_and_disorder_nothing() {
    const SPEAKERS: usize = 4;
    const EACH: usize = 150;
    let redis = TestServer::start();
    let nodes = brokers::<2>(&redis, &[]).await;
    let (mut speakers, mut listeners) = (JoinSet::new(), JoinSet::new());
    for n in 0..SPEAKERS {
        listeners.spawn(listen(member(&nodes[n % 2], &format!("l{n}")).await, SPEAKERS * EACH));
    }
    for n in 0..SPEAKERS {
        speakers.spawn(speak(member(&nodes[n % 2], &format!("s{n}")).await, n, EACH, Duration::from_millis(10)));
    }
    let mut cuts = 0;
    while !speakers.is_empty() {
        for kind in ["normal", "pubsub"] {
            let mut connection = redis.connection(0);
            let cut: u64 = redis::cmd("CLIENT")
                .arg("KILL")
                .arg("TYPE")
                .arg(kind)
                .arg("SKIPME")
                .arg("yes")
                .query(&mut connection)
                .expect("cut");
            cuts += cut;
        }
        sleep(Duration::from_millis(250)).await;
        while speakers.try_join_next().transpose().expect("no panic").is_some() {}
    }
    let heard = listeners.join_all().await;
    assert_complete(&heard, SPEAKERS, EACH);
    println!("{} messages, {cuts} connections cut, {} listeners heard all of them", SPEAKERS * EACH, heard.len());
    assert!(cuts > 8, "{cuts}");
}

#[tokio::test]
async fn what_was_said_while_a_node_could_not_hear_is_filled_in_though_nothing_follows() {
    let redis = TestServer::start();
    let nodes = [TestApp::one_of(&redis, "n0", &[]).await, TestApp::one_of(&redis, "n1", &[]).await];
    let join = json!({"type": "group.join", "group": "team"});
    let mut speaker = nodes[0].open("s1").await;
    let mut listener = nodes[1].open("s2").await;
    for socket in [&mut speaker, &mut listener] {
        assert_eq!(socket.ask("j", join.clone()).await["type"], "ack");
    }
    for n in 1..=5u64 {
        // Whoever listens is cut off, and what is said in the next moment is said to nobody.
        let _: u64 =
            redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("pubsub").query(&mut redis.connection(0)).expect("cut");
        assert_eq!(speaker.insist_on(&format!("m{n}"), says("alone")).await["type"], "ack");
        let heard = listener.event_of("message").await;
        assert_eq!(heard["seq"], n, "and nothing else was said");
    }
}

#[tokio::test]
async fn a_redis_that_comes_back_empty_begins_every_log_anew_on_every_node() {
    let mut redis = TestServer::start();
    let nodes = [TestApp::one_of(&redis, "n0", &[]).await, TestApp::one_of(&redis, "n1", &[]).await];
    let join = json!({"type": "group.join", "group": "team"});
    let mut sockets = [nodes[0].open("s1").await, nodes[1].open("s2").await];
    for socket in &mut sockets {
        assert_eq!(socket.ask("j", join.clone()).await["type"], "ack");
    }
    let before = sockets[0].insist_on("m1", says("before")).await;
    for socket in &mut sockets {
        assert_eq!(socket.event_of("message").await["seq"], before["seq"]);
    }
    redis.kill();
    redis.launch();
    for socket in &mut sockets {
        let reset = loop {
            let reset = socket.event_of("log.reset").await;
            if reset["group"] == "team" {
                break reset;
            }
        };
        assert_eq!(reset["seq"], 0, "{reset}");
    }
    for (from, id) in [(0, "m2"), (1, "m3")] {
        assert_eq!(sockets[from].insist_on(id, says(id)).await["type"], "ack");
        for socket in &mut sockets {
            assert_eq!(socket.event_of("message").await["message"]["text"], id);
        }
    }
    // Who is where is written anew, too.
    for app in &nodes {
        eventually("both are members", SOON, async || {
            let (_, body) = app.admin("GET", "/admin/api/groups/team", None).await;
            (body["members"].as_array().map(Vec::len) == Some(2)).then_some(())
        })
        .await;
    }
    let known: bool = redis.connection(0).exists("sophie:members:team").expect("an answer");
    assert!(known, "in Redis");
}
