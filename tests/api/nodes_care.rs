//! What a node has written is seen to be there; what cannot be written holds nothing else up; a name is one node's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::Commands;
use serde_json::{Value, json};
use sophie_actors::ids::{GroupName, SessionId, UserId};
use sophie_actors::node::Node;
use sophie_actors::registry::Enter;
use tokio::time::{Instant, sleep};

use crate::support::{Broker, Feeds, Hearing, Passage, Proxy, SOON, TestApp, TestServer, TestSocket, eventually};

/// How long it may take until something that is gone is noticed and there again, on a busy machine.
const NOTICED: Duration = Duration::from_secs(15);

async fn member(app: &TestApp, session: &str, groups: &[&str]) -> TestSocket {
    let mut socket = app.open(session).await;
    for group in groups {
        let reply = socket.insist_on(group, json!({"type": "group.join", "group": group})).await;
        assert_eq!(reply["type"], "ack", "{reply}");
    }
    socket
}

/// The members of a group in the channel layer.
async fn in_layer(redis: &TestServer, group: &str, count: usize) -> Vec<String> {
    let key = format!("asgi:group:{group}");
    eventually(&format!("{count} members of {group} in the layer"), NOTICED, async || {
        let members: Vec<String> = redis.connection(0).zrange(&key, 0, -1).expect("a sorted set");
        (members.len() == count).then_some(members)
    })
    .await
}

fn set(redis: &TestServer, key: &str) {
    let _: () = redis.connection(0).set_ex(key, "junk", 600).expect("set");
}

#[tokio::test]
async fn memberships_that_are_gone_from_the_layer_are_written_anew() {
    let redis = TestServer::start();
    let app = TestApp::one_of(&redis, "n0", &[]).await;
    let _socket = member(&app, "s1", &["team", "club"]).await;
    for group in ["team", "club", "chat_s1"] {
        in_layer(&redis, group, 1).await;
    }
    // One is evicted; then all are flushed, as Django's `flush()` does it.
    let _: () = redis.connection(0).del("asgi:group:club").expect("deleted");
    in_layer(&redis, "club", 1).await;
    let all: Vec<String> = redis.connection(0).keys("asgi*").expect("listed");
    let _: () = redis.connection(0).del(all).expect("deleted");
    for group in ["team", "club", "chat_s1"] {
        in_layer(&redis, group, 1).await;
    }
}

#[tokio::test]
async fn a_layer_host_that_came_back_empty_is_written_anew() {
    let (redis, mut host) = (TestServer::start(), TestServer::start());
    let url = host.url(0);
    let app = TestApp::one_of(&redis, "n0", &[("SOPHIE__CHANNEL__HOSTS", url.as_str())]).await;
    let _socket = member(&app, "s1", &["team"]).await;
    in_layer(&host, "team", 1).await;
    host.kill();
    host.launch();
    in_layer(&host, "team", 1).await;
}

#[tokio::test]
async fn a_session_whose_row_was_lost_is_seen_again_and_counts_for_nothing_once_it_has_gone() {
    let redis = TestServer::start();
    let nodes = [TestApp::one_of(&redis, "n0", &[]).await, TestApp::one_of(&redis, "n1", &[]).await];
    let socket = member(&nodes[1], "s1", &["team"]).await;
    let _other = member(&nodes[1], "s2", &["team"]).await;
    let members = async |count: u64| {
        eventually("the members", NOTICED, async || {
            let (_, body) = nodes[0].admin("GET", "/admin/api/groups/team", None).await;
            (body["members"].as_array().map(Vec::len) == Some(count as usize)
                && body["total"] == count
                && body["nodes"] == 1)
                .then_some(())
        })
        .await;
    };
    members(2).await;
    let _: () = redis.connection(0).del("sophie:here:s1").expect("deleted");
    members(2).await;
    let _: () = redis.connection(0).del("sophie:here:s1").expect("deleted");
    drop(socket);
    members(1).await;
    let counted = eventually("the counts", NOTICED, async || {
        let (_, body) = nodes[0].admin("GET", "/admin/api/groups?prefix=team", None).await;
        (body["groups"][0]["members"] == 1).then_some(body)
    })
    .await;
    assert_eq!(counted["groups"][0]["nodes"], 1, "{counted}");
}

#[tokio::test]
async fn keys_of_a_wrong_type_hold_no_other_group_up() {
    let redis = TestServer::start();
    let app = TestApp::one_of(&redis, "n0", &[("SOPHIE__CHANNEL__SERIALIZER", "json")]).await;
    let mut socket = member(&app, "s1", &["ill", "well"]).await;
    in_layer(&redis, "ill", 1).await;
    for key in ["asgi:group:bad1", "sophie:members:bad2", "sophie:at:bad3", "sophie:here:bad4"] {
        set(&redis, key);
    }
    for group in ["bad1", "bad2", "bad3"] {
        socket.insist_on(group, json!({"type": "group.join", "group": group})).await;
    }
    let _ill = app.open("bad4").await;
    let _well = member(&app, "s2", &["good"]).await;
    in_layer(&redis, "good", 1).await;
    eventually("the row of another session", NOTICED, async || {
        let members: Vec<String> = redis.connection(0).zrange("sophie:members:good", 0, -1).expect("a sorted set");
        (members == ["s2"]).then_some(())
    })
    .await;

    // A session that was in such a group comes back, to the others; and operators see the groups that are well.
    set(&redis, "sophie:head:bad5");
    let _: () = redis.connection(0).hset("sophie:session:back", "g:bad5", 1).expect("set");
    let _: () = redis.connection(0).hset("sophie:session:back", "g:club", 2).expect("set");
    let _: () = redis.connection(0).expire("sophie:session:back", 600).expect("set");
    let _: () = redis.connection(0).zadd("sophie:groups", "bad5", 0).expect("added");
    assert_eq!(app.open("back").await.ready["groups"], json!(["chat_back", "club"]));
    let (status, listed) = app.admin("GET", "/admin/api/groups?prefix=club", None).await;
    assert_eq!((status, listed["groups"].as_array().map(Vec::len)), (200, Some(1)), "{listed}");
    let (status, listed) = app.admin("GET", "/admin/api/groups", None).await;
    assert_eq!(status, 200, "{listed}");

    // Django speaks to a group whose log cannot be written, and to one that is well.
    let _: () = redis.connection(0).del("sophie:log:ill").expect("deleted");
    set(&redis, "sophie:log:ill");
    for group in ["ill", "well"] {
        tell_as_django(&redis, group, "hello").await;
    }
    let said = Instant::now();
    assert_eq!(socket.event_of("message").await["group"], "well");
    assert!(said.elapsed() < SOON);
}

/// Puts a message into the queues of a group's members, as channels_redis does.
async fn tell_as_django(redis: &TestServer, group: &str, text: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
    let members: Vec<String> = redis.connection(0).zrange(format!("asgi:group:{group}"), 0, -1).expect("a sorted set");
    for member in members {
        let message = json!({"type": "chat.message", "text": text, "__asgi_channel__": [member]});
        let key = format!("asgi{}!", member.split('!').next().expect("a node's key"));
        let _: () = redis.connection(0).zadd(key, format!("0123456789ab{message}"), now).expect("added");
    }
}

async fn enter_many(node: &Node, sessions: usize, groups: usize) {
    for n in 0..sessions {
        let session = SessionId::parse(&format!("s{n}")).expect("legal");
        let names: Vec<GroupName> = (0..groups)
            .map(|m| GroupName::parse(&format!("g{}", n * groups + m)).expect("legal"))
            .chain([session.home()])
            .collect();
        let state = sophie_actors::store::LogState {
            head: sophie_actors::protocol::LogHead { epoch: "e".into(), seq: 0 },
            first: 1,
            began: 0,
        };
        let groups = names.into_iter().map(|name| (name, state.clone())).collect();
        let user = UserId::guest(&session);
        let enter =
            Enter { session, user, groups, answers: Vec::new(), announce: false, elsewhere: false, joining: None };
        node.registry.enter(enter).await.expect("entered");
    }
}

#[tokio::test]
async fn a_node_with_many_memberships_that_was_away_for_longer_than_its_lease_recovers() {
    const SESSIONS: usize = 800;
    const GROUPS: usize = 29;
    const ALL: usize = SESSIONS * (GROUPS + 1);
    let redis = TestServer::start();
    // Whoever asks for each membership alone is at it for a minute or more.
    let slow = Proxy::before(redis.port());
    slow.set(Passage::Late(Duration::from_millis(3)));
    let url = format!("redis://127.0.0.1:{}/0", slow.port);
    let app = TestApp::one_of(&redis, "n0", &[("REDIS_URL", url.as_str())]).await;
    enter_many(app.node(), SESSIONS, GROUPS).await;
    let key = app.node().layer.channels().expect("a layer").as_str().to_owned();
    let all_there = async |within| {
        eventually("all memberships", within, async || {
            let joined: usize = redis.connection(0).scard(format!("sophie:joined:{key}")).expect("a set");
            let groups: Vec<String> = redis.connection(0).keys("asgi:group:*").expect("listed");
            (joined == ALL && groups.len() == ALL).then_some(())
        })
        .await;
    };
    all_there(Duration::from_secs(60)).await;

    redis.freeze();
    sleep(Duration::from_secs(11)).await;
    redis.thaw();
    eventually("the node lives", Duration::from_secs(10), async || {
        let lives: bool = redis.connection(0).exists(format!("sophie:info:{key}")).expect("an answer");
        lives.then_some(())
    })
    .await;
    // It beats on, whatever it has to do: for longer than a lease of 10 s, which a pause of the machine may shorten and not end.
    let until = Instant::now() + Duration::from_secs(12);
    while Instant::now() < until {
        let left: i64 = redis.connection(0).ttl(format!("sophie:info:{key}")).expect("an answer");
        assert!(left >= 1, "{left} s of the lease are left");
        sleep(Duration::from_millis(200)).await;
    }
    all_there(SOON).await;

    // All of it is lost, and written anew while the beat goes on.
    let _: () = redis::cmd("FLUSHALL").query(&mut redis.connection(0)).expect("flushed");
    let flushed = Instant::now();
    all_there(Duration::from_secs(60)).await;
    eventually("the records", Duration::from_secs(60), async || {
        let joined: usize = redis.connection(0).hlen(format!("sophie:session:s{}", SESSIONS - 1)).expect("a hash");
        (joined > GROUPS).then_some(())
    })
    .await;
    println!("{ALL} memberships were written anew in {:?}", flushed.elapsed());
    let left: i64 = redis.connection(0).ttl(format!("sophie:info:{key}")).expect("an answer");
    assert!(left >= 1, "{left} s of the lease are left");
}

async fn broker(redis: &TestServer, name: &str) -> Broker {
    let url = redis.url(0);
    Broker::start(0, &[("USE_REDIS", "true"), ("REDIS_URL", url.as_str()), ("SOPHIE__SERVER__NODE", name)]).await
}

async fn names(broker: &Broker) -> Vec<String> {
    let (_, body) = broker.get("/admin/api/nodes").await;
    let body: Value = serde_json::from_str(&body).expect("JSON");
    body["nodes"].as_array().into_iter().flatten().map(|it| it["node"].as_str().unwrap_or("").to_owned()).collect()
}

async fn are_named(broker: &Broker, expected: &[&str]) {
    eventually("the nodes' names", NOTICED, async || (names(broker).await == expected).then_some(())).await;
}

#[tokio::test]
async fn a_second_process_of_one_name_says_so_and_goes_on_under_another() {
    let redis = TestServer::start();
    let (first, second) = (broker(&redis, "n0").await, broker(&redis, "n0").await);
    are_named(&first, &["n0", "n0-2"]).await;
    are_named(&second, &["n0", "n0-2"]).await;
    assert_eq!(TestSocket::open(second.address, "s2", "").await.ready["node"], "n0-2");
    assert_eq!(TestSocket::open(first.address, "s1", "").await.ready["node"], "n0");
    let third = broker(&redis, "n0").await;
    are_named(&third, &["n0", "n0-2", "n0-3"]).await;
    let said = |broker: &Broker| {
        let log = broker.log();
        log.lines().filter(|line| line.contains("ERROR") && line.contains("setting=server.node value=n0")).count()
    };
    assert_eq!((said(&first), said(&second), said(&third)), (0, 1, 2));
    for broker in [&first, &second, &third] {
        assert!(!broker.log().contains("a node is gone"), "{}", broker.log());
    }
}

#[tokio::test]
async fn a_process_that_was_killed_and_started_again_is_no_second_one() {
    let redis = TestServer::start();
    let mut killed = broker(&redis, "n0").await;
    let socket = TestSocket::open(killed.address, "s1", "").await;
    let members = in_layer(&redis, "chat_s1", 1).await;
    killed.signal("-KILL");
    killed.wait(SOON);
    drop(socket);
    let again = broker(&redis, "n0").await;
    are_named(&again, &["n0"]).await;
    // What the killed one left is removed before its lease has run out.
    in_layer(&redis, "chat_s1", 0).await;
    assert!(!again.log().contains("setting=server.node value=n0"), "{}", again.log());
    let gone = members[0].split('!').next().expect("a key");
    eventually("a line that says who has gone", SOON, async || again.log().contains(gone).then_some(())).await;
}

#[tokio::test]
async fn what_django_publishes_is_logged_though_a_node_does_not_hear_it() {
    let redis = TestServer::start();
    let feeds = Feeds::before(redis.port());
    let (url, layer) = (feeds.url(), [("SOPHIE__CHANNEL__LAYER", "pubsub"), ("SOPHIE__CHANNEL__SERIALIZER", "json")]);
    let deaf = [&layer[..], &[("SOPHIE__CHANNEL__HOSTS", url.as_str())]].concat();
    let hearing = redis.url(0);
    let layer = [&layer[..], &[("SOPHIE__CHANNEL__HOSTS", hearing.as_str())]].concat();
    let nodes = [TestApp::one_of(&redis, "n0", &deaf).await, TestApp::one_of(&redis, "n1", &layer).await];
    let mut first = member(&nodes[0], "s0", &["team"]).await;
    let publish = |text: &str| -> usize {
        let message = json!({"type": "chat.message", "text": text}).to_string();
        redis.connection(0).publish("asgi__group__team", message).expect("published")
    };
    let heard_by = async |count: usize| {
        eventually("so many to hear", SOON, async || {
            let mut redis = redis.connection(0);
            let heard: (String, usize) =
                redis::cmd("PUBSUB").arg("NUMSUB").arg("asgi__group__team").query(&mut redis).expect("asked");
            (heard.1 == count).then_some(())
        })
        .await;
    };
    // The one that will be deaf is the first to log something of the group.
    heard_by(1).await;
    assert_eq!(publish("alone"), 1);
    first.event_of("message").await;
    let mut sockets = [first, member(&nodes[1], "s1", &["team"]).await];
    heard_by(2).await;
    // Heard by both: logged once; and two equal ones twice.
    for text in ["one", "same", "same"] {
        assert_eq!(publish(text), 2);
    }
    let mut heard = Vec::new();
    let hear = async |socket: &mut TestSocket, heard: &mut Vec<Value>| {
        heard.push(socket.event_of("message").await["message"]["text"].clone());
    };
    for _ in 0..3 {
        hear(&mut sockets[0], &mut heard).await;
    }
    assert_eq!(heard, ["one", "same", "same"]);
    // The first node, which has logged some of them, is deaf.
    feeds.set(Hearing::Cut).await;
    heard_by(1).await;
    for n in 0..5 {
        assert_eq!(publish(&format!("alone {n}")), 1);
    }
    for n in 0..5 {
        let said = sockets[0].event_of("message").await;
        assert_eq!((&said["message"]["text"], &said["seq"]), (&json!(format!("alone {n}")), &json!(5 + n)));
    }
    let history = sockets[0].ask("h", json!({"type": "history.get", "group": "team"})).await;
    assert_eq!(history["events"].as_array().map(Vec::len), Some(9), "{history}");
}
