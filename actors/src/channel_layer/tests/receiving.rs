//! What comes from Django, from whichever host, and what is passed over.

use std::time::Duration;

use serde_json::{Value, json};
use sophie_kit::until;
use tokio::time::{Instant, timeout};

use super::super::codec::{Codec, now_seconds};
use super::super::names::{key_on_first_shard, queue};
use super::*;
use crate::ids::random_text;

#[tokio::test]
async fn a_message_to_a_group_comes_to_its_members_alone() {
    let long = "g".repeat(90);
    for site in variants().await {
        let joined = groups(&["chat_1", "chat_42", "a", &long]);
        site.join(&joined).await;
        for (at, group) in joined.iter().enumerate() {
            site.group_send(group, fields(json!({"type": "chat.message", "n": at})), 1.5 + at as f64);
            let got = site.next(1).await;
            assert_eq!(got.len(), 1);
            assert_eq!(got[0].to, Addressee::Groups(vec![group.clone()]), "{:?}", site.twin);
            assert_eq!(Value::Object(got[0].fields.clone()), json!({"type": "chat.message", "n": at}));
            let score = (site.twin == Twin::Core).then(|| format!("{}.5", 1 + at));
            assert_eq!(got[0].sent_at, score);
        }
        site.layer.leave(&joined[..1]).await.expect("left");
        site.group_send(&joined[0], fields(json!({"type": "late"})), 9.0);
        site.group_send(&joined[1], fields(json!({"type": "good"})), 10.0);
        assert_eq!(site.next(1).await[0].fields["type"], "good");
    }
}

#[tokio::test]
async fn a_message_to_a_channel_of_this_node_comes_from_any_host() {
    for site in variants().await {
        // Subscriptions are there once a join has been answered.
        site.join(&groups(&["chat_1", "chat_abc", "a", "test-group"])).await;
        for at in 0..8 {
            let local = format!("session-{at}");
            site.send(&local, fields(json!({"type": "hello"})), 2.0 + f64::from(at));
            assert_eq!(site.next(1).await[0].to, Addressee::Channel(local));
        }
    }
}

#[tokio::test]
async fn junk_is_counted_and_passed_over() {
    for site in variants().await {
        let group = &groups(&["chat_1"])[0];
        site.join(std::slice::from_ref(group)).await;
        let channel = match site.twin {
            Twin::Core => site.options.node_key.member(group),
            Twin::Pubsub => format!("asgi__group__{group}"),
        };
        let shard = site.shard(if site.twin == Twin::Core { queue(&channel) } else { &channel });
        let mut other = site.options.clone();
        other.encryption_keys = vec!["wrong".into()];
        for (at, junk) in [b"".to_vec(), b"junk".to_vec(), Codec::new(&other).seal(&Fields::new())].iter().enumerate() {
            site.put(shard, &channel, junk, 1.0 + at as f64);
        }
        site.group_send(group, fields(json!({"type": "good"})), 5.0);
        assert_eq!(site.next(1).await[0].fields["type"], "good", "{:?}", site.twin);
        assert_eq!(site.counted("bad") + site.counted("undecryptable"), 3);
    }
}

#[tokio::test]
async fn tokens_that_are_too_old_or_from_the_future_are_refused_by_core_alone() {
    for twin in [Twin::Core, Twin::Pubsub] {
        let site = Site::new(twin, 1, &["k"], Serializer::Msgpack).await;
        let group = &groups(&["chat_1"])[0];
        site.join(std::slice::from_ref(group)).await;
        let mut message = fields(json!({"type": "dated"}));
        let channel = if twin == Twin::Core {
            let member = site.options.node_key.member(group);
            message.insert("__asgi_channel__".into(), json!([member]));
            member
        } else {
            format!("asgi__group__{group}")
        };
        let plain = wire::encode(&message, Serializer::Msgpack);
        for (at, time) in [now_seconds() - 100, now_seconds() + 100].into_iter().enumerate() {
            let token = fernet::Fernet::new("k").encrypt(&plain, time, [7; 16]);
            site.put(0, &channel, token.as_bytes(), 1.0 + at as f64);
        }
        site.group_send(group, fields(json!({"type": "good"})), 5.0);
        let types: Vec<_> = site.next(if twin == Twin::Core { 1 } else { 3 }).await;
        assert_eq!(types.last().expect("one").fields["type"], "good");
        assert_eq!(site.counted("undecryptable"), if twin == Twin::Core { 2 } else { 0 });
    }
}

#[tokio::test]
async fn what_a_node_publishes_is_not_heard_by_nodes() {
    let site = Site::new(Twin::Pubsub, 2, &[], Serializer::Msgpack).await;
    let group = &groups(&["chat_42"])[0];
    site.join(std::slice::from_ref(group)).await;
    let told = site.layer.tell_group(group, &fields(json!({"type": "echo"}))).await.expect("told");
    assert_eq!(told.reached, 0, "nobody but this node listens");
    site.group_send(group, fields(json!({"type": "good"})), 0.0);
    assert_eq!(site.next(1).await[0].fields["type"], "good");
    assert_eq!(site.counted("own"), 1);
}

#[tokio::test]
async fn what_does_not_fit_stays_in_redis() {
    let site = Site::new(Twin::Core, 1, &[], Serializer::Msgpack).await;
    let group = &groups(&["chat_1"])[0];
    site.join(std::slice::from_ref(group)).await;
    let member = site.options.node_key.member(group);
    let key = format!("asgi{}", site.options.node_key.as_str());
    const SENT: usize = 5000;
    let mut pipe = redis::pipe();
    for at in 0..SENT {
        let message = fields(json!({"type": "n", "n": at, "__asgi_channel__": [member]}));
        let stored = [random_text(12).into_bytes(), Codec::new(&site.options).seal(&message)].concat();
        pipe.cmd("ZADD").arg(&key).arg(1 + at).arg(stored).ignore();
    }
    pipe.exec(&mut site.redis(0)).expect("written");
    let deadline = Instant::now() + DEADLINE;
    let mut last = usize::MAX;
    loop {
        let left: usize = redis::cmd("ZCARD").arg(&key).query(&mut site.redis(0)).expect("counted");
        if left == last && left < SENT {
            break;
        }
        last = left;
        assert!(Instant::now() < deadline, "{left} left");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(last > 1000, "{last} left in Redis");
    let got = site.next(SENT).await;
    assert!(got.iter().enumerate().all(|(at, inbound)| inbound.fields["n"] == at), "all, in order");
}

#[tokio::test]
async fn a_host_that_was_away_is_heard_again_and_the_others_meanwhile() {
    for twin in [Twin::Core, Twin::Pubsub] {
        let mut site = Site::new(twin, 2, &[], Serializer::Msgpack).await;
        // One on each host, in either twin.
        let all = groups(&["chat_42", "chat_1", "a", "test-group", "chat_abc", "asgi"]);
        site.join(&all).await;
        site.servers[1].kill();
        let local = (0..).map(|at| format!("s{at}"));
        let own = site.options.node_key.as_str().to_owned();
        let on_first = local.clone().find(|local| site.shard(&format!("{own}{local}")) == 0).expect("one of many");
        let on_second = local.clone().find(|local| site.shard(&format!("{own}{local}")) == 1).expect("one of many");
        site.send(&on_first, fields(json!({"type": "meanwhile"})), 1.0);
        assert_eq!(site.next(1).await[0].fields["type"], "meanwhile");
        site.servers[1].launch();
        let deadline = Instant::now() + DEADLINE;
        loop {
            // Pubsub loses what is said before it has subscribed anew.
            site.send(&on_second, fields(json!({"type": "back"})), 2.0);
            if let Ok(got) = timeout(Duration::from_millis(300), site.layer.receive()).await {
                assert_eq!(got[0].fields["type"], "back");
                break;
            }
            assert!(Instant::now() < deadline, "{twin:?} does not come back");
        }
    }
}

#[tokio::test]
async fn a_dropped_layer_leaves_no_connection() {
    for twin in [Twin::Core, Twin::Pubsub] {
        let site = Site::new(twin, 1, &[], Serializer::Msgpack).await;
        site.join(&groups(&["chat_1"])).await;
        let Site { servers, layer, .. } = site;
        drop(layer);
        until("the only client is who asks", DEADLINE, || {
            let clients: String =
                redis::cmd("CLIENT").arg("LIST").query(&mut servers[0].connection(0)).expect("listed");
            clients.lines().count() == 1
        })
        .await;
    }
}

#[test]
fn only_names_of_our_form_are_nodes() {
    let group = &groups(&["chat_1"])[0];
    assert!(NodeKey::is_of_a_node(&NodeKey::random().member(group)));
    for other in
        ["sophie.abc!x", "specific.0123456789abcdef0123456789abcdef!x", "sophie.0123456789ABCDEF0123456789abcdef!x"]
    {
        assert!(!NodeKey::is_of_a_node(other), "{other}");
    }
    for ring in 1..8 {
        assert_eq!(ring::index(key_on_first_shard(ring).as_str(), ring), 0);
    }
}
