//! Several nodes on one Redis: whoever is connected where hears the same, in the same order.

use std::collections::HashMap;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{SOON, TestApp, TestServer, TestSocket, eventually};

async fn cluster<const N: usize>(environment: &[(&str, &str)]) -> (TestServer, [TestApp; N]) {
    let redis = TestServer::start();
    let nodes: Vec<_> =
        join_all((0..N).map(async |n| TestApp::one_of(&redis, &format!("n{n}"), environment).await)).await;
    let Ok(nodes) = nodes.try_into() else { unreachable!("as many as were asked for") };
    (redis, nodes)
}

async fn join(socket: &mut TestSocket, group: &str) {
    let reply = socket.ask("join", json!({"type": "group.join", "group": group})).await;
    assert_eq!(reply["type"], "ack", "{reply}");
}

async fn member(app: &TestApp, session: &str, group: &str) -> TestSocket {
    let mut socket = app.open(session).await;
    join(&mut socket, group).await;
    socket
}

/// Messages of a group until so many were heard, as `(seq, text)`.
async fn messages(socket: &mut TestSocket, group: &str, count: usize) -> Vec<(u64, String)> {
    let mut heard = Vec::new();
    while heard.len() < count {
        let event = socket.event_of("message").await;
        if event["group"] == group {
            let text = event["message"]["text"].as_str().expect("text").to_owned();
            heard.push((event["seq"].as_u64().expect("a seq"), text));
        }
    }
    heard
}

async fn speak(socket: &mut TestSocket, id: &str, group: &str, text: &str) {
    socket.send(json!({"type": "message.send", "id": id, "group": group, "text": text, "assistant": false})).await;
}

/// The groups' figures of every node, once all of them say the same of `group`.
async fn members_everywhere(nodes: &[TestApp], group: &str, expected: &[(&str, &str)]) {
    for app in nodes {
        let path = format!("/admin/api/groups/{group}");
        eventually("the members", SOON, async || {
            let (_, body) = app.admin("GET", &path, None).await;
            let members = body["members"].as_array().into_iter().flatten();
            let mut members: Vec<(String, String)> = members
                .map(|it| {
                    (it["session"].as_str().unwrap_or("").to_owned(), it["node"].as_str().unwrap_or("").to_owned())
                })
                .collect();
            members.sort();
            let same =
                members.iter().map(|(session, node)| (session.as_str(), node.as_str())).eq(expected.iter().copied());
            same.then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn everybody_hears_everything_once_and_in_the_same_order() {
    const MESSAGES: usize = 25;
    let (_redis, nodes) = cluster::<3>(&[]).await;
    let mut sockets = Vec::new();
    for n in 0..6 {
        sockets.push(member(&nodes[n % 3], &format!("s{n}"), "team").await);
    }
    let heard = join_all(sockets.iter_mut().enumerate().map(async |(n, socket)| {
        for m in 0..MESSAGES {
            speak(socket, &format!("m{m}"), "team", &format!("{n}-{m}")).await;
        }
        messages(socket, "team", 6 * MESSAGES).await
    }))
    .await;
    let seqs: Vec<u64> = heard[0].iter().map(|(seq, _)| *seq).collect();
    assert_eq!(seqs, (1..=6 * MESSAGES as u64).collect::<Vec<_>>());
    assert!(heard.iter().all(|other| other == &heard[0]), "the same order everywhere");
    for n in 0..6 {
        let own: Vec<&String> =
            heard[0].iter().map(|(_, text)| text).filter(|t| t.starts_with(&format!("{n}-"))).collect();
        assert_eq!(own, (0..MESSAGES).map(|m| format!("{n}-{m}")).collect::<Vec<_>>().iter().collect::<Vec<_>>());
    }
    for socket in &mut sockets {
        assert!(socket.settled().await.iter().all(|event| event["type"] != "message"), "nothing came twice");
    }
}

#[tokio::test]
async fn a_session_is_the_same_on_whichever_node_its_sockets_are() {
    let (_redis, nodes) = cluster::<2>(&[]).await;
    let mut here = nodes[0].open("s1").await;
    let mut there = nodes[1].open("s1").await;
    speak(&mut here, "1", "chat_s1", "from here").await;
    speak(&mut there, "1", "chat_s1", "from here").await;
    // The same id from the same session is the same message, wherever it comes in.
    let replies = [here.reply("1").await, there.reply("1").await];
    assert_eq!((&replies[0]["seq"], &replies[1]["seq"]), (&json!(1), &json!(1)));

    join(&mut here, "team").await;
    let mut other = member(&nodes[1], "s2", "team").await;
    let joined = there.event_of("group.joined").await;
    assert_eq!((&joined["group"], &joined["session"]), (&json!("team"), &json!("s1")));
    speak(&mut other, "1", "team", "hello").await;
    for socket in [&mut here, &mut there] {
        assert_eq!(messages(socket, "team", 1).await, [(1, "hello".to_owned())]);
    }
    let left = there.ask("2", json!({"type": "group.leave", "group": "team"})).await;
    assert_eq!(left["type"], "ack", "{left}");
    assert_eq!(here.event_of("group.left").await["session"], "s1");
    let refused = here.ask("3", json!({"type": "message.send", "group": "team", "text": "x"})).await;
    assert_eq!(refused["code"], "not_member");
    members_everywhere(&nodes, "team", &[("s2", "n1")]).await;

    // What a session joined is where it comes back, on another node too.
    join(&mut here, "club").await;
    while there.event_of("group.joined").await["group"] != "club" {}
    drop((here, there));
    let ready = nodes[1].open("s1").await.ready;
    assert_eq!(ready["groups"], json!(["chat_s1", "club"]));
}

#[tokio::test]
async fn who_comes_and_goes_and_types_is_told_on_every_node() {
    let (_redis, nodes) = cluster::<3>(&[]).await;
    let mut watcher = member(&nodes[0], "watcher", "team").await;
    assert_eq!(watcher.event_of("group.joined").await["session"], "watcher");
    let mut guest = member(&nodes[1], "guest", "team").await;
    let joined = watcher.event_of("group.joined").await;
    assert_eq!((&joined["session"], &joined["user"]), (&json!("guest"), &json!("guest:guest")));
    members_everywhere(&nodes, "team", &[("guest", "n1"), ("watcher", "n0")]).await;
    let members = watcher.ask("m", json!({"type": "group.members", "group": "team"})).await;
    assert_eq!(members["total"], 2, "{members}");

    guest.send(json!({"type": "group.typing", "group": "team"})).await;
    let typing = watcher.event_of("typing").await;
    assert_eq!((&typing["group"], &typing["user"]), (&json!("team"), &json!("guest:guest")));
    guest.send(json!({"type": "group.leave", "group": "team"})).await;
    let left = watcher.event_of("group.left").await;
    assert_eq!((&left["group"], &left["session"]), (&json!("team"), &json!("guest")));
    members_everywhere(&nodes, "team", &[("watcher", "n0")]).await;
    assert!(watcher.settled().await.is_empty(), "each was told once");
}

#[tokio::test]
async fn a_site_whose_layer_has_the_prefix_of_sophies_own_keys_is_no_matter() {
    let (redis, nodes) = cluster::<2>(&[("SOPHIE__CHANNEL__PREFIX", "sophie")]).await;
    let mut one = member(&nodes[0], "one", "team").await;
    let mut other = member(&nodes[1], "other", "team").await;
    for text in ["first", "second"] {
        speak(&mut one, text, "team", text).await;
        assert_eq!(messages(&mut other, "team", 1).await[0].1, text);
    }
    members_everywhere(&nodes, "team", &[("one", "n0"), ("other", "n1")]).await;
    eventually("both nodes are members for Django", SOON, async || {
        let members: usize =
            redis::cmd("ZCARD").arg("sophie:group:team").query(&mut redis.connection(0)).expect("a sorted set");
        (members == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn admin_says_the_same_on_every_node_and_acts_on_all() {
    let (_redis, nodes) = cluster::<3>(&[]).await;
    let mut sockets = Vec::new();
    for n in 0..6 {
        sockets.push(member(&nodes[n % 3], &format!("s{n}"), "team").await);
    }
    let mut second = nodes[1].open("s0").await;
    for app in &nodes {
        let names = |body: &Value, list: &str, name: &str| -> Vec<String> {
            body[list].as_array().into_iter().flatten().map(|it| it[name].as_str().unwrap_or("").to_owned()).collect()
        };
        eventually("the whole cluster", SOON, async || {
            let (_, groups) = app.admin("GET", "/admin/api/groups?prefix=team", None).await;
            let (_, sessions) = app.admin("GET", "/admin/api/sessions", None).await;
            let (_, nodes) = app.admin("GET", "/admin/api/nodes", None).await;
            let members = groups["groups"][0]["members"].as_u64();
            let mut known = names(&nodes, "nodes", "node");
            known.sort();
            let mut found = names(&sessions, "sessions", "session");
            found.sort();
            found.dedup();
            (members == Some(6) && known == ["n0", "n1", "n2"] && found == ["s0", "s1", "s2", "s3", "s4", "s5"])
                .then_some(())
        })
        .await;
        // Page by page the same.
        let (mut cursor, mut paged) = (String::new(), Vec::new());
        loop {
            let (_, page) = app.admin("GET", &format!("/admin/api/groups?limit=2{cursor}"), None).await;
            let part = names(&page, "groups", "name");
            assert!(part.len() <= 2, "{page}");
            paged.extend(part);
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let homes: Vec<String> = (0..6).map(|n| format!("chat_s{n}")).chain(["team".to_owned()]).collect();
        assert_eq!(paged, homes);
    }
    // Both sockets of a session, whichever node is asked.
    let (status, body) = nodes[2].admin("DELETE", "/admin/api/sessions/s0", None).await;
    assert_eq!(status, 200, "{body}");
    for socket in [&mut sockets[0], &mut second] {
        assert_eq!(socket.closing().await["code"], 4502);
    }
    let text = json!({"text": "Everybody out."});
    let (status, body) = nodes[0].admin("POST", "/admin/api/groups/team/messages", Some(text)).await;
    assert_eq!(status, 200, "{body}");
    for socket in &mut sockets[1..] {
        assert_eq!(messages(socket, "team", 1).await, [(1, "Everybody out.".to_owned())]);
    }
    let (status, body) = nodes[1].admin("DELETE", "/admin/api/groups/team", None).await;
    assert_eq!(status, 200, "{body}");
    for socket in &mut sockets[1..] {
        assert_eq!(socket.event_of("group.left").await["group"], "team");
    }
    members_everywhere(&nodes, "team", &[]).await;
}

/// How often Redis was asked to do each thing.
fn calls(redis: &TestServer) -> HashMap<String, u64> {
    let text: String = redis::cmd("INFO").arg("commandstats").query(&mut redis.connection(0)).expect("an answer");
    let counted = text.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(":calls="));
    counted
        .map(|(name, rest)| (name.to_owned(), rest.split(',').next().and_then(|n| n.parse().ok()).expect("a number")))
        .collect()
}

#[tokio::test]
async fn a_message_costs_redis_the_same_however_many_listen() {
    const MESSAGES: usize = 40;
    let (redis, nodes) = cluster::<2>(&[]).await;
    let mut cost = Vec::new();
    for (group, sessions) in [("few", 2), ("many", 60)] {
        let mut sockets = Vec::new();
        for n in 0..sessions {
            sockets.push(member(&nodes[n % 2], &format!("{group}{n}"), group).await);
        }
        let mut joined = 0;
        while joined < sessions {
            // Several of one moment come in one event.
            let event = sockets[0].event_of("group.joined").await;
            joined += event["members"].as_array().map_or(1, Vec::len);
        }
        let (before, since) = (calls(&redis), tokio::time::Instant::now());
        for n in 0..MESSAGES {
            assert_eq!(
                sockets[0]
                    .ask(
                        &format!("m{n}"),
                        json!({"type": "message.send", "group": group, "text": "x", "assistant": false})
                    )
                    .await["type"],
                "ack"
            );
        }
        for socket in &mut sockets[1..] {
            messages(socket, group, MESSAGES).await;
        }
        let after = calls(&redis);
        let spent = |name: &str| after.get(name).unwrap_or(&0) - before.get(name).unwrap_or(&0);
        // Besides, each node says something to itself about once a second, to know that it hears.
        let checks = 2 * (since.elapsed().as_secs() + 2);
        let published = spent("publish");
        assert!((MESSAGES as u64..=MESSAGES as u64 + checks).contains(&published), "one for all nodes: {published}");
        cost.push((spent("evalsha"), since.elapsed().as_secs()));
    }
    println!("scripts for {MESSAGES} messages, and seconds: {cost:?}");
    // One script a message; the rest are leases and presence, which have their own pace: more of them on a slow machine.
    // A second that has begun counts.
    let most = |seconds: u64| 2 * MESSAGES as u64 + 10 * (seconds + 1);
    assert!(cost.iter().all(|(scripts, seconds)| *scripts < most(*seconds)), "{cost:?}");
}
