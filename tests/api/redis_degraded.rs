//! One database at a time goes away, in each way that there is: what is done in its stead, how that shows, and that it ends.

use std::time::Duration;

use redis::Commands;
use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};
use tokio::time::Instant;

use crate::support::{Answer, Broker, Client, Fault, FaultyRedis, Handshake, SOON, TestServer, TestSocket, eventually};

under_each_fault!(
    without_the_main_database_nothing_is_confirmed_and_nothing_confirmed_is_lost,
    without_the_cache_the_model_is_asked,
    without_the_general_cache_the_application_is_asked,
    without_the_channel_layer_chat_goes_on,
);

/// What a request may take when it meets the fault first: a call's budget here and there, and a machine that pauses.
const FIRST: Duration = Duration::from_secs(5);
/// So many that each wait for a call's budget take longer than that.
const MANY: usize = 80;

async fn detail(broker: &Broker, dependency: &str) -> Value {
    broker.readiness().await.1["details"]["dependencies"][dependency].clone()
}

async fn until_state(broker: &Broker, dependency: &str, state: &str) -> Value {
    eventually(&format!("{dependency} is {state}"), SOON, async || {
        let detail = detail(broker, dependency).await;
        (detail["state"] == state).then_some(detail)
    })
    .await
}

async fn until_ready(broker: &Broker) {
    eventually("ready", SOON, async || (broker.readiness().await.0 == 200).then_some(())).await;
}

/// The fault of one test, from its beginning to what it leaves in the log.
struct Outage<'a> {
    broker: &'a Broker,
    redis: &'a FaultyRedis,
    fault: Fault,
    /// What is to be degraded, with the changes that were logged before.
    dependencies: Vec<(&'static str, usize)>,
}

impl<'a> Outage<'a> {
    async fn begin(broker: &'a Broker, redis: &'a FaultyRedis, fault: Fault, dependencies: &[&'static str]) -> Self {
        let mut before = Vec::new();
        for dependency in dependencies {
            // A busy machine may have broken a budget before.
            until_state(broker, dependency, "ok").await;
            before.push((*dependency, broker.changes(dependency).len()));
        }
        redis.suffer(fault);
        Self { broker, redis, fault, dependencies: before }
    }

    /// Everything that depends on it is degraded, and is said to be so everywhere.
    async fn is_shown(&self) {
        for (dependency, before) in &self.dependencies {
            let detail = until_state(self.broker, dependency, "degraded").await;
            assert!(detail["mode"].as_str().is_some_and(|mode| !mode.is_empty()), "{detail}");
            assert!(detail["since"].as_str().is_some_and(|since| since.ends_with('Z')), "{detail}");
            let gauge = format!("sophie_degraded{{dependency=\"{dependency}\"}} 1\n");
            let (_, metrics) = self.broker.get("/metrics").await;
            assert!(metrics.contains(&gauge), "{metrics}");
            assert_eq!(self.broker.changes(dependency)[*before..], ["degraded"], "{}", self.broker.log());
        }
    }

    /// It is well again; how long it took until that was seen.
    async fn end(self) -> Duration {
        for (dependency, before) in &self.dependencies {
            assert_eq!(self.broker.changes(dependency)[*before..], ["degraded"], "one line: {}", self.broker.log());
        }
        self.redis.recover(self.fault);
        let since = Instant::now();
        for (dependency, before) in &self.dependencies {
            until_state(self.broker, dependency, "ok").await;
            let changes = self.broker.changes(dependency);
            assert_eq!(changes[*before..*before + 2], ["degraded", "ok"], "{}", self.broker.log());
        }
        let took = since.elapsed();
        println!("{:?} {:?}: well after {took:?}", self.dependencies, self.fault);
        took
    }
}

async fn start(ai: &AiServer, main: &str, cache: &str, more: &[(&str, &str)]) -> Broker {
    let mut environment =
        [&ai.environment()[..], &[("USE_REDIS", "true"), ("REDIS_URL", main), ("SOPHIE__CACHE__URL", cache)]].concat();
    environment.extend(more);
    Broker::start(0, &environment).await
}

/// Publishes to a group until it is told to wait; how many were admitted.
async fn published(broker: &Broker) -> usize {
    let http = Client::new();
    let url = format!("http://{}/api/groups/team-7/messages", broker.address);
    for count in 0..20 {
        let response = http.post(&url).json(&json!({"event": {"n": count}})).send().await.expect("a response");
        match response.status().as_u16() {
            202 => {}
            429 => return count,
            other => panic!("{other}"),
        }
    }
    panic!("never refused")
}

async fn without_the_main_database_nothing_is_confirmed_and_nothing_confirmed_is_lost(fault: Fault) {
    let (redis, other, ai) = (FaultyRedis::start(), TestServer::start(), AiServer::start().await);
    let (main, cache, general) = (redis.url(0), other.url(2), other.url(1));
    let (script, gate) = Script::gated();
    ai.push(script);
    let limits = [
        ("SOPHIE__GENERAL_CACHE__URL", general.as_str()),
        ("SOPHIE__LIMITS__ENABLED", "true"),
        ("SOPHIE__LIMITS__KEY_REQUESTS_PER_MINUTE", "1"),
        ("SOPHIE__LIMITS__KEY_BURST", "9"),
        ("SOPHIE__LIMITS__ADDRESS_MESSAGES_PER_MINUTE", "1000"),
    ];
    let broker = start(&ai, &main, &cache, &limits).await;
    let mut socket = TestSocket::open(broker.address, "s1", "").await;
    socket.insist("m0", "before").await;
    socket.insist_on("q", json!({"type": "message.send", "text": "Tell me."})).await;
    gate.word("one ");
    assert_eq!(socket.event_of("answer.delta").await["text"], "one ");

    let down = ["store", "limits", "flights", "feed"];
    let outage = Outage::begin(&broker, &redis, fault, &down).await;
    let since = Instant::now();
    let refused = socket.say("m1", "meanwhile").await;
    println!("{fault:?}: the first send was refused after {:?}", since.elapsed());
    assert_eq!(refused["code"], "store_unavailable", "{refused}");
    assert!(since.elapsed() < FIRST, "{:?}", since.elapsed());
    outage.is_shown().await;
    let since = Instant::now();
    for _ in 0..MANY {
        assert_eq!(socket.say("m1", "meanwhile").await["code"], "store_unavailable");
    }
    assert!(since.elapsed() < FIRST, "{MANY} refusals at once took {:?}", since.elapsed());
    // As many as one node may: its own limiter knows nothing of what came before.
    assert_eq!(published(&broker).await, 9);
    let (status, body) = broker.readiness().await;
    assert_eq!((status, body["reasons"].as_array().map(Vec::len)), (503, Some(1)), "{body}");
    for well in ["cache", "general"] {
        until_state(&broker, well, "ok").await;
    }
    let since = Instant::now();
    gate.word("two");
    assert_eq!(socket.event_of("answer.delta").await["text"], "two");
    assert!(since.elapsed() < FIRST, "what is under way goes on: {:?}", since.elapsed());
    gate.finish();
    ai.wait_finished(0, SOON).await;

    outage.end().await;
    let end = socket.event_of("answer.end").await;
    assert_eq!(end["text"], "one two");
    socket.insist("m1", "meanwhile").await;
    let history = socket.insist_on("h", json!({"type": "history.get"})).await;
    let events = history["events"].as_array().expect("events");
    let texts: Vec<&Value> = events.iter().map(|event| &event["message"]["text"]).filter(|it| !it.is_null()).collect();
    assert_eq!(texts, ["before", "Tell me.", "meanwhile"]);
    assert_eq!(events.iter().filter(|event| event["type"] == "answer.end").count(), 1, "{history}");
    until_ready(&broker).await;
    assert_eq!(ai.calls(), 1);
}

async fn ask(broker: &Broker, session: &str) -> (Answer, Duration) {
    let mut socket = TestSocket::open(broker.address, session, "").await;
    let since = Instant::now();
    let ack = socket.insist_on("q", json!({"type": "message.send", "text": "What is new?"})).await;
    let answer = Answer::of(&mut socket, &ack["message"]).await;
    (answer, since.elapsed())
}

/// Asks until the cache has the answer: on a busy machine it may be late for once, and then the model is asked.
async fn ask_the_cache(broker: &Broker, session: &str) {
    for n in 0..20 {
        if ask(broker, &format!("{session}-{n}")).await.0.start["cache"] != "miss" {
            return;
        }
    }
    panic!("never from the cache");
}

async fn without_the_cache_the_model_is_asked(fault: Fault) {
    let (redis, other, ai) = (FaultyRedis::start(), TestServer::start(), AiServer::start().await);
    ai.set_default(|| Script::answer("Nothing much."));
    let (main, cache) = (other.url(0), redis.url(2));
    let broker = start(&ai, &main, &cache, &[]).await;
    assert_eq!(ask(&broker, "s1").await.0.start["cache"], "miss");
    eventually("it is kept", SOON, async || {
        let kept: usize = redis::cmd("DBSIZE").query(&mut redis.server.connection(2)).expect("an answer");
        (kept == 1).then_some(())
    })
    .await;
    ask_the_cache(&broker, "s2").await;
    let before = ai.calls();

    let outage = Outage::begin(&broker, &redis, fault, &["cache"]).await;
    for n in 1..=3 {
        let (answer, took) = ask(&broker, &format!("away{n}")).await;
        println!("{fault:?}: answer {n} after {took:?}");
        assert_eq!((answer.text.as_str(), &answer.start["cache"]), ("Nothing much.", &json!("miss")));
        assert!(took < FIRST, "{took:?}");
        assert_eq!(ai.calls(), before + n, "each is asked for");
    }
    outage.is_shown().await;
    until_ready(&broker).await;
    // What is told of the databases is looked up once a second.
    eventually("the cache is shown to be away", SOON, async || {
        let (_, body) = broker.readiness().await;
        let cache = &body["details"]["redis"]["cache"];
        (cache["reachable"] == false && cache["reason"].is_string()).then_some(())
    })
    .await;
    outage.end().await;
    ask_the_cache(&broker, "s3").await;
}

async fn without_the_general_cache_the_application_is_asked(fault: Fault) {
    let (redis, other) = (FaultyRedis::start(), TestServer::start());
    let (ai, application) = (AiServer::start().await, AiServer::start().await);
    let grant = json!({"user": "alice"}).to_string();
    application.set_default(move || Script::respond(200, &[("content-type", "application/json")], &grant));
    let (main, cache, general) = (other.url(0), other.url(2), redis.url(1));
    let hook = format!("{}/chat/completions", application.base_url());
    let more = [
        ("SOPHIE__GENERAL_CACHE__URL", general.as_str()),
        ("SOPHIE__AUTH__MODE", "hook"),
        ("SOPHIE__AUTH__HOOK_URL", hook.as_str()),
    ];
    let broker = start(&ai, &main, &cache, &more).await;
    let open = async || {
        let since = Instant::now();
        let handshake = Handshake::with(broker.address, "/ws/chat/s1", &[("cookie", "sessionid=abc")]).await;
        assert_eq!(handshake.socket().await.ready["user"], "alice");
        since.elapsed()
    };
    // On a busy machine the cache may be late for once, and then the application is asked.
    let open_by_cache = async || {
        let before = application.calls();
        open().await;
        (application.calls() == before).then_some(())
    };
    open().await;
    eventually("it is known", SOON, &open_by_cache).await;
    let before = application.calls();

    let outage = Outage::begin(&broker, &redis, fault, &["general"]).await;
    for n in 1..=3 {
        let took = open().await;
        println!("{fault:?}: let in after {took:?}");
        assert!(took < FIRST, "{took:?}");
        assert_eq!(application.calls(), before + n);
    }
    outage.is_shown().await;
    until_ready(&broker).await;
    assert_eq!(detail(&broker, "hook").await, json!({"state": "ok"}));
    outage.end().await;
    eventually("what was kept before is known again", SOON, &open_by_cache).await;
}

/// Sends to the session's home group as a Django site does.
async fn send_as_django(redis: &TestServer, text: &str) {
    let member = eventually("a member of the layer", SOON, async || {
        let members: Vec<String> = redis.connection(0).zrange("asgi:group:chat_s1", 0, -1).expect("an answer");
        members.into_iter().next()
    })
    .await;
    let queue = format!("asgi{}!", member.split_once('!').expect("a node's").0);
    let body = json!({"type": "chat.message", "text": text, "__asgi_channel__": [member]});
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs_f64();
    redis.connection(0).zadd::<_, _, _, ()>(queue, format!("{:12}{body}", text.len()), now).expect("added");
}

async fn without_the_channel_layer_chat_goes_on(fault: Fault) {
    let (redis, other, ai) = (FaultyRedis::start(), TestServer::start(), AiServer::start().await);
    let (main, cache, layer) = (other.url(0), other.url(2), redis.url(0));
    let more = [("SOPHIE__CHANNEL__HOSTS", layer.as_str()), ("SOPHIE__CHANNEL__SERIALIZER", "json")];
    let broker = start(&ai, &main, &cache, &more).await;
    let mut socket = TestSocket::open(broker.address, "s1", "").await;
    send_as_django(&redis.server, "from Django").await;
    assert_eq!(socket.event_of("message").await["message"]["text"], "from Django");

    // Half a second is within what a call to it may take, since nothing of a chat waits for one.
    let dependencies: &[&str] = if fault == Fault::Slow { &[] } else { &["layer"] };
    let outage = Outage::begin(&broker, &redis, fault, dependencies).await;
    let since = Instant::now();
    socket.insist("m1", "among us").await;
    assert!(since.elapsed() < FIRST, "{:?}", since.elapsed());
    outage.is_shown().await;
    until_ready(&broker).await;
    if fault == Fault::Slow {
        send_as_django(&redis.server, "late").await;
        assert_eq!(socket.event_of("message").await["message"]["text"], "among us");
        assert_eq!(socket.event_of("message").await["message"]["text"], "late");
        assert_eq!(detail(&broker, "layer").await["state"], "ok");
    }
    outage.end().await;
    send_as_django(&redis.server, "again").await;
    while socket.event_of("message").await["message"]["text"] != "again" {}
}
