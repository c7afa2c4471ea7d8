//! A Redis that answers and refuses: writes for want of memory or replicas, and what its access list does not allow.

use std::time::Duration;

use redis::Commands;
use redis::streams::StreamRangeReply;
use serde_json::{Value, json};
use sophie_actors::channel_layer;
use sophie_actors::channel_layer::{LayerOptions, Serializer};
use sophie_actors::ids::NodeKey;
use sophie_actors::metrics::Metrics;
use sophie_actors::redis::{Bound, Bounds, Budgets};
use sophie_actors::store::redis::{self as stores, RedisOptions};
use sophie_kit::ai_server::{AiServer, Script};
use tokio::time::{Instant, sleep};

use crate::support::{Broker, SOON, TestServer, TestSocket, eventually};

fn set(redis: &TestServer, name: &str, value: &str) {
    redis::cmd("CONFIG").arg(&["SET", name, value]).query::<()>(&mut redis.connection(0)).expect("set");
}

/// Lets the server save what it holds, or keeps it from that: then it takes no writes (`MISCONF`).
async fn let_it_save(redis: &TestServer, may: bool) {
    let mut connection = redis.connection(0);
    let (_, dir): (String, String) =
        redis::cmd("CONFIG").arg(&["GET", "dir"]).query(&mut connection).expect("an answer");
    // A folder where the file belongs stops root, too.
    let place = std::path::Path::new(&dir).join("dump.rdb");
    if may { std::fs::remove_dir(place) } else { std::fs::create_dir(place) }.expect("a folder");
    // Only a server that is to save by itself minds that it cannot.
    set(redis, "save", "86400 1000000");
    redis::cmd("BGSAVE").query::<String>(&mut connection).expect("begun");
    let status = if may { "rdb_last_bgsave_status:ok" } else { "rdb_last_bgsave_status:err" };
    eventually(status, SOON, async || {
        let info: String = redis::cmd("INFO").arg("persistence").query(&mut redis.connection(0)).expect("an answer");
        let says = |wanted: &str| info.lines().any(|line| line == wanted);
        (says("rdb_bgsave_in_progress:0") && says(status)).then_some(())
    })
    .await;
}

/// A session of each node in one group, on nodes that are ready.
async fn in_team(nodes: &[Broker; 2]) -> [TestSocket; 2] {
    let join = async |broker: &Broker, session: &str| {
        let mut socket = TestSocket::open(broker.address, session, "").await;
        assert_eq!(socket.insist_on("j", json!({"type": "group.join", "group": "team"})).await["type"], "ack");
        until_status(broker, 200).await;
        socket
    };
    [join(&nodes[0], "s1").await, join(&nodes[1], "s2").await]
}

async fn until_status(broker: &Broker, status: u16) -> Value {
    eventually(&format!("readiness is {status}"), SOON, async || {
        let (now, body) = broker.readiness().await;
        (now == status).then_some(body)
    })
    .await
}

/// Waits until this is why it is not ready: for a moment it may be that Redis was late.
async fn until_reason(broker: &Broker, reason: &str) -> Value {
    eventually(reason, SOON, async || {
        let (status, body) = broker.readiness().await;
        (status == 503 && body["reasons"] == json!([reason])).then_some(body)
    })
    .await
}

#[tokio::test]
async fn what_was_shown_while_writes_were_refused_is_what_is_logged() {
    // Longer than an answer's lease.
    const REFUSED: Duration = Duration::from_secs(12);
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    let (script, gate) = Script::gated();
    ai.push(script);
    let writer = Broker::node(&redis.url(0), &ai, "writer", &[]).await;
    let other = Broker::node(&redis.url(0), &ai, "other", &[]).await;
    let mut viewer = TestSocket::open(writer.address, "s1", "").await;
    viewer.insist_on("q", json!({"type": "message.send", "text": "Tell me."})).await;
    gate.word("0 ");
    let mut shown = viewer.event_of("answer.delta").await["text"].as_str().expect("text").to_owned();
    // On a busy machine a first call may have been late: what is counted below begins when that is over.
    for broker in [&writer, &other] {
        let well = async || {
            let (status, body) = broker.readiness().await;
            (status == 200 && body["details"]["dependencies"]["store"]["state"] == "ok").then_some(())
        };
        eventually("the store is well", SOON, well).await;
    }
    let before = writer.changes("store").len();

    set(&redis, "maxmemory", "1");
    let since = Instant::now();
    let refused = viewer.say("m1", "meanwhile").await;
    assert_eq!(refused["code"], "store_unavailable", "{refused}");
    for broker in [&writer, &other] {
        let body = until_reason(broker, "Redis takes no writes (OOM)").await;
        assert_eq!(body["details"]["dependencies"]["store"]["state"], "degraded", "{body}");
    }
    let (_, metrics) = writer.get("/metrics").await;
    assert!(metrics.contains("sophie_degraded{dependency=\"store\"} 1\n"), "{metrics}");
    let mut said = 1;
    while since.elapsed() < REFUSED {
        gate.word(&format!("{said} "));
        shown += viewer.event_of("answer.delta").await["text"].as_str().expect("text");
        said += 1;
        sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(writer.changes("store")[before..], ["degraded"], "one line: {}", writer.log());
    set(&redis, "maxmemory", "0");
    for broker in [&writer, &other] {
        until_status(broker, 200).await;
    }
    // Others have had their time to take it for dead.
    sleep(Duration::from_secs(7)).await;
    gate.word("end");
    gate.finish();
    let end = viewer.event_of("answer.end").await;
    assert_eq!(end["text"], format!("{shown}end"));
    let log: StreamRangeReply = redis.connection(0).xrange_all("sophie:log:chat_s1").expect("an answer");
    assert_eq!(log.ids.len(), 2, "a question and its end");
    assert_eq!(viewer.insist("m1", "meanwhile").await["type"], "ack");
}

#[tokio::test]
async fn a_redis_without_its_replicas_takes_no_writes_and_is_well_when_it_does() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    let broker = Broker::node(&redis.url(0), &ai, "n", &[]).await;
    for _ in 0..2 {
        until_status(&broker, 200).await;
        set(&redis, "min-replicas-to-write", "1");
        // Nobody says anything: the node's own sign of life is refused.
        until_reason(&broker, "Redis takes no writes (NOREPLICAS)").await;
        set(&redis, "min-replicas-to-write", "0");
    }
    until_status(&broker, 200).await;
}

#[tokio::test]
async fn a_redis_that_cannot_save_takes_no_writes_and_all_else_goes_on() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    let pubsub = [("SOPHIE__CHANNEL__LAYER", "pubsub")];
    let nodes =
        [Broker::node(&redis.url(0), &ai, "a", &[]).await, Broker::node(&redis.url(0), &ai, "b", &pubsub).await];
    let [mut one, mut two] = in_team(&nodes).await;
    let say = |text: &str| json!({"type": "message.send", "group": "team", "text": text, "assistant": false});
    assert_eq!(one.insist_on("m0", say("before")).await["type"], "ack");
    two.event_of("message").await;
    let hears = |broker: &Broker| broker.changes("feed").len();
    let before = nodes.each_ref().map(hears);

    let_it_save(&redis, false).await;
    assert_eq!(one.ask("m1", say("meanwhile")).await["code"], "store_unavailable");
    let reason = "Redis takes no writes (MISCONF)";
    for broker in &nodes {
        until_reason(broker, reason).await;
    }
    // Its word on a ping, which it refuses too, is a sign of life: connections stay, and new ones are made.
    let kill = redis::cmd("CLIENT").arg(&["KILL", "TYPE", "normal"]).query::<u64>(&mut redis.connection(0));
    assert!(kill.expect("an answer") > 0);
    let until = Instant::now() + SOON;
    let page = loop {
        let page = one.ask("h", json!({"type": "history.get", "group": "team"})).await;
        if page["type"] == "history" {
            break page;
        }
        assert!(Instant::now() < until, "the log is not read: {page}");
        sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(page["events"].as_array().map(Vec::len), Some(1), "{page}");
    one.send(json!({"type": "group.typing", "group": "team"})).await;
    assert_eq!(two.event_of("typing").await["group"], "team");
    sleep(Duration::from_secs(3)).await;
    for (broker, before) in nodes.iter().zip(before) {
        until_reason(broker, reason).await;
        assert_eq!(hears(broker), before, "{}", broker.log());
    }

    let_it_save(&redis, true).await;
    for broker in &nodes {
        until_status(broker, 200).await;
    }
    assert_eq!(one.insist_on("m1", say("meanwhile")).await["type"], "ack");
    assert_eq!(two.event_of("message").await["message"]["text"], "meanwhile");
    let log: StreamRangeReply = redis.connection(0).xrange_all("sophie:log:team").expect("an answer");
    assert_eq!(log.ids.len(), 2);
}

/// The rules that docs/operations.md gives, word by word.
fn rules() -> Vec<String> {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let page = std::fs::read_to_string(page).expect("a text");
    let line = page.lines().find_map(|line| line.strip_prefix("ACL SETUSER sophie ")).expect("the user");
    line.split(' ').map(str::to_owned).collect()
}

/// The same for the layer `pubsub`, which needs more.
fn rules_with_pubsub() -> Vec<String> {
    [rules(), vec!["&*".to_owned(), "+psubscribe".to_owned()]].concat()
}

/// Makes the user `sophie` by these rules.
fn allow(redis: &TestServer, rules: &[String]) {
    let mut acl = redis::cmd("ACL");
    acl.arg("SETUSER").arg("sophie").arg("reset").arg(rules);
    acl.query::<()>(&mut redis.connection(0)).expect("a user");
}

#[tokio::test]
async fn the_rights_that_the_documents_give_suffice_for_everything() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    ai.set_default(|| Script::answer("An answer."));
    let url = redis.url(0).replace("//", "//sophie:PASSWORD@");
    for (layer, name, rules) in [("core", "a", rules()), ("pubsub", "b", rules_with_pubsub())] {
        allow(&redis, &rules);
        let more = [
            ("SOPHIE__CHANNEL__LAYER", layer),
            ("SOPHIE__CHANNEL__NOTIFY_DJANGO", "chat.message,chat.answer.end"),
            ("SOPHIE__CHANNEL__NOTIFY_WORKER", if layer == "core" { "sophie-events" } else { "" }),
            ("SOPHIE__LIMITS__ENABLED", "true"),
        ];
        let nodes = [
            Broker::node(&url, &ai, &format!("{name}1"), &more).await,
            Broker::node(&url, &ai, &format!("{name}2"), &more).await,
        ];
        let mut sockets = Vec::new();
        for (n, broker) in nodes.iter().enumerate() {
            until_status(broker, 200).await;
            let mut socket = TestSocket::open(broker.address, &format!("{name}{n}"), "").await;
            assert_eq!(socket.insist_on("j", json!({"type": "group.join", "group": "team"})).await["type"], "ack");
            sockets.push(socket);
        }
        let [one, two] = &mut sockets[..] else { panic!("two sockets") };
        let question = json!({"type": "message.send", "group": "team", "text": format!("What is {name}?")});
        let ack = one.insist_on("q", question).await;
        assert_eq!(two.event_of("answer.end").await["text"], "An answer.");
        let retry = json!({"type": "answer.retry", "message": ack["message"]});
        assert_eq!(one.insist_on("r", retry).await["type"], "ack");
        two.event_of("answer.end").await;
        for (n, command) in [
            json!({"type": "group.members", "group": "team"}),
            json!({"type": "history.get", "group": "team"}),
            json!({"type": "group.typing", "group": "team"}),
            json!({"type": "answer.cancel", "answer": "nothing"}),
            json!({"type": "group.leave", "group": "team"}),
        ]
        .into_iter()
        .enumerate()
        {
            two.insist_on(&format!("c{n}"), command).await;
        }
        for path in ["groups", "groups/team", "sessions", "redis", "usage", "cache", "limits/user:guest:a0", "nodes"] {
            let (status, body) = nodes[0].get(&format!("/admin/api/{path}")).await;
            assert!(status == 200 || status == 404, "{path}: {body}");
        }
        for broker in &nodes {
            until_status(broker, 200).await;
            assert!(!broker.log().contains("rights"), "{}", broker.log());
        }
        sleep(Duration::from_secs(3)).await;
    }
    assert_eq!(redis.refused(), Vec::<String>::new());
}

/// A node's stores and layer as this user; which rights are said to be missing once that is known.
async fn missing(redis: &TestServer) -> String {
    let url = |db: u8| redis.url(db).replace("//", "//sophie:PASSWORD@");
    let (metrics, key) = (Metrics::new(), NodeKey::random());
    let budgets = Budgets { append: SOON, other: SOON };
    let options = RedisOptions {
        url: url(0),
        cache_url: url(2),
        general_url: url(1),
        prefix: "sophie".into(),
        channel_prefix: "asgi".into(),
        node_key: key.clone(),
        log_events: 10,
        log_seconds: 60,
        group_expiry_seconds: 60,
        cache_ttl_seconds: 60,
        cache_max_entry_bytes: 1_000,
        worker: Vec::new(),
        wait_replicas: 0,
        budgets,
        bounds: Bounds::default(),
    };
    let layer = LayerOptions {
        hosts: vec![url(0)],
        prefix: "asgi".into(),
        capacity: 100,
        expiry_seconds: 60,
        group_expiry_seconds: 60,
        encryption_keys: Vec::new(),
        serializer: Serializer::Msgpack,
        node_key: key,
        bound: Bound::none(),
    };
    let refusals = metrics.dependencies.refusals.clone();
    let _stores = stores::connect(options, &metrics.dependencies).await.expect("good options");
    let _core = channel_layer::core(layer.clone(), metrics.clone()).await.expect("good options");
    let _pubsub = channel_layer::pubsub(layer, metrics).await.expect("good options");
    refusals.reasons().join(" ")
}

/// The same where something is missing. A connection is waited for half a second, and a machine may pause for longer.
async fn named(redis: &TestServer) -> String {
    for _ in 0..4 {
        let named = missing(redis).await;
        if !named.is_empty() {
            return named;
        }
    }
    missing(redis).await
}

#[tokio::test]
async fn each_missing_right_is_named() {
    let redis = TestServer::start();
    let rules = rules_with_pubsub();
    allow(&redis, &rules);
    assert_eq!(missing(&redis).await, "");
    let mut wrong = Vec::new();
    let channel = "&sophie:*".to_owned();
    for rule in rules.iter().filter(|rule| rule.starts_with(['+', '~', '&']) && **rule != channel) {
        allow(&redis, &rules.iter().filter(|it| *it != rule).cloned().collect::<Vec<_>>());
        let named = named(&redis).await;
        // Of a pattern that part which this node needs.
        let part = rule.trim_end_matches('*').to_owned();
        if !named.split(' ').any(|word| word == rule || (!rule.starts_with('+') && word.starts_with(&part))) {
            wrong.push(format!("{rule}: {named:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // All channels are more than this one.
    allow(&redis, &rules.iter().filter(|it| !it.starts_with('&')).cloned().collect::<Vec<_>>());
    assert!(named(&redis).await.contains("&sophie:0:events"));
}

#[tokio::test]
async fn a_node_without_a_right_says_which_and_is_ready_when_it_has_it() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    let everything: Vec<String> = ["on", ">PASSWORD", "~*", "+@all"].map(str::to_owned).to_vec();
    allow(&redis, &everything);
    let url = redis.url(0).replace("//", "//sophie:PASSWORD@");
    let broker = Broker::node(&url, &ai, "n", &[]).await;
    let reason = "Redis does not give this node the rights &sophie:0:events (database main)";
    until_reason(&broker, reason).await;
    let error = broker.log().lines().filter(|line| line.contains("ERROR") && line.contains("&sophie:0:events")).count();
    assert_eq!(error, 1, "{}", broker.log());
    allow(&redis, &[everything, vec!["&sophie:*".to_owned()]].concat());
    until_status(&broker, 200).await;
    let mut socket = TestSocket::open(broker.address, "s1", "").await;
    assert_eq!(socket.insist("m1", "hello").await["type"], "ack");
}

#[tokio::test]
async fn a_right_that_is_taken_in_mid_run_is_named_and_no_message_is_lost_or_doubled() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    allow(&redis, &rules());
    let url = redis.url(0).replace("//", "//sophie:PASSWORD@");
    let nodes = [Broker::node(&url, &ai, "a", &[]).await, Broker::node(&url, &ai, "b", &[]).await];
    let [mut one, mut two] = in_team(&nodes).await;
    let change = |rule: &str| {
        let mut acl = redis::cmd("ACL");
        acl.arg(&["SETUSER", "sophie", rule]).query::<()>(&mut redis.connection(0)).expect("a user");
    };
    let mut said = Vec::new();
    // The one is refused in the middle of a script; the other at its end, when all is written.
    for command in ["xadd", "publish"] {
        change(&format!("-{command}"));
        let text = format!("without {command}");
        let message = json!({"type": "message.send", "group": "team", "text": text, "assistant": false});
        assert_eq!(one.ask(command, message.clone()).await["code"], "store_unavailable");
        let reason = format!("Redis does not give this node the rights +{command} (database main)");
        // The other one asks for no such thing, and so has not noticed.
        let [broker, _] = &nodes;
        until_reason(broker, &reason).await;
        let missing = format!("missing=+{command}");
        let told = broker.log().lines().filter(|it| it.contains("ERROR") && it.contains(&missing)).count();
        assert_eq!(told, 1, "{}", broker.log());
        change(&format!("+{command}"));
        for broker in &nodes {
            until_status(broker, 200).await;
        }
        assert_eq!(one.insist_on(command, message).await["type"], "ack");
        said.push(text);
    }
    // What was logged and not published is found with the group's next event.
    let last = json!({"type": "message.send", "group": "team", "text": "with all", "assistant": false});
    assert_eq!(one.insist_on("all", last).await["type"], "ack");
    said.push("with all".to_owned());
    for text in &said {
        assert_eq!(two.event_of("message").await["message"]["text"], *text);
    }
    assert!(two.settled().await.iter().all(|event| event["type"] != "message"), "each once");
    let log: StreamRangeReply = redis.connection(0).xrange_all("sophie:log:team").expect("an answer");
    assert_eq!(log.ids.len(), said.len());
}
