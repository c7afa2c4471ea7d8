//! `sophie check` and the access list of Redis: what it says is missing is all that a node needs.

use std::time::Duration;

use serde_json::json;
use sophie_kit::ai_server::{AiServer, Script};
use tokio::time::sleep;

use crate::support::{Broker, Checked, SOON, TestServer, TestSocket, eventually};

/// Runs an access list's command as it is printed, in the words of a shell.
fn run(redis: &TestServer, command: &str) {
    let mut words = command.split(' ');
    let mut call = redis::cmd(words.next().expect("ACL"));
    words.for_each(|word| _ = call.arg(word));
    call.query::<()>(&mut redis.connection(0)).unwrap_or_else(|error| panic!("{command}: {error}"));
}

/// The commands that a check prints for what is missing.
fn printed(checked: &Checked) -> Vec<String> {
    let findings = checked.report["findings"].as_array().expect("findings").iter();
    let advice = findings.filter(|it| it["code"] == "redis_rights").map(|it| it["do"].as_str().expect("a text"));
    advice.map(|text| text[text.find("ACL SETUSER").expect("a command")..].to_owned()).collect()
}

/// Checks as a user, and gives it what is printed, until nothing is missing.
async fn grant(redis: &TestServer, url: &str, more: &[(&str, &str)]) -> usize {
    for round in 0..4 {
        let checked = Checked::redis(url, more).await;
        let commands = printed(&checked);
        if commands.is_empty() {
            assert_eq!(checked.codes("fault"), [""; 0], "{checked:#?}");
            return round;
        }
        commands.iter().for_each(|command| run(redis, command));
    }
    panic!("there is no end to what is missing");
}

#[tokio::test]
async fn a_user_that_may_do_nothing_is_given_all_that_a_node_needs_by_the_printed_commands() {
    let (redis, ai) = (TestServer::durable(), AiServer::start().await);
    ai.set_default(|| Script::answer("An answer."));
    let url = redis.url(0).replace("//", "//app:PASSWORD@");
    for layer in ["core", "pubsub"] {
        run(&redis, "ACL SETUSER app reset on >PASSWORD");
        let more = [("SOPHIE__CHANNEL__LAYER", layer)];
        assert!(grant(&redis, &url, &more).await > 0, "something was missing");
        run(&redis, "ACL LOG RESET");
        let node = async |name: &str| Broker::node(&url, &ai, name, &more).await;
        let nodes = [node("a").await, node("b").await];
        let mut sockets = Vec::new();
        for broker in &nodes {
            eventually("ready", SOON, async || (broker.readiness().await.0 == 200).then_some(())).await;
            let mut socket = TestSocket::open(broker.address, &format!("s{}", sockets.len()), "").await;
            assert_eq!(socket.insist_on("j", json!({"type": "group.join", "group": "team"})).await["type"], "ack");
            sockets.push(socket);
        }
        let question = json!({"type": "message.send", "group": "team", "text": format!("What is {layer}?")});
        assert_eq!(sockets[0].insist_on(layer, question).await["type"], "ack");
        assert_eq!(sockets[1].event_of("answer.end").await["text"], "An answer.");
        sockets[1].insist_on("h", json!({"type": "history.get", "group": "team"})).await;
        for path in ["groups", "sessions", "redis", "usage", "cache", "nodes"] {
            // A store that answers too late once is no right that is missing.
            let path = format!("/admin/api/{path}");
            eventually(&path, SOON, async || (nodes[0].get(&path).await.0 == 200).then_some(())).await;
        }
        // What is done now and then is done meanwhile.
        sleep(Duration::from_secs(3)).await;
        assert_eq!(redis.refused(), Vec::<String>::new(), "{layer}");
    }
}

#[tokio::test]
async fn what_is_missing_is_named_and_no_more() {
    let redis = TestServer::durable();
    let url = redis.url(0).replace("//", "//app:PASSWORD@");
    run(&redis, "ACL SETUSER app reset on >PASSWORD ~* &* +@all -xadd");
    let checked = Checked::redis(&url, &[]).await;
    assert_eq!(checked.codes("fault"), ["redis_rights"], "{checked:#?}");
    assert_eq!(checked.says("redis_rights", "subject"), "main");
    assert_eq!(printed(&checked), ["ACL SETUSER app +xadd"]);
    // A user made by hand has no channels since version 7.
    run(&redis, "ACL SETUSER app reset on >PASSWORD ~* +@all");
    assert_eq!(printed(&Checked::redis(&url, &[]).await), ["ACL SETUSER app &sophie:0:events"]);
    run(&redis, "ACL SETUSER app reset on >PASSWORD ~* &* +@all -info");
    let checked = Checked::redis(&url, &[]).await;
    assert!(printed(&checked).iter().all(|command| command == "ACL SETUSER app +info"), "{checked:#?}");
}
