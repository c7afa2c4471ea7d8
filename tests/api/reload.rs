//! SIGHUP has the settings read again: what is taken over, what needs a restart, and what is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use sophie_kit::ai_server::{AiServer, Script};

use crate::support::{ADMIN_TOKEN, Reloadable, TestSocket, question, streamed};

#[tokio::test]
async fn one_line_says_what_was_taken_over_and_what_needs_a_restart() {
    let node = Reloadable::start("log.level = \"warn\"\n").await;
    assert!(!node.broker.log().contains("INFO"), "{}", node.broker.log());
    let line = node.reload("log.level = \"info\"\n").await;
    assert!(line.contains(" INFO ") && line.contains("event=settings_reloaded"), "{line}");
    assert!(line.contains("taken=log.level needs_restart=\"\""), "{line}");
    let line = node
        .reload("log.level = \"info\"\nserver.workers = 3\nsession.max_groups = 9\nserver.hosts = [\"a.example\"]\n")
        .await;
    assert!(line.contains(" WARN "), "{line}");
    assert!(line.contains("taken=server.hosts needs_restart=server.workers,session.max_groups"), "{line}");
    // As long as it is not restarted, each reading says so; what was taken is in force.
    let line = node.hang_up().await;
    assert!(line.contains("taken=\"\" needs_restart=server.workers,session.max_groups"), "{line}");
    let line = node.reload("log.level = \"info\"\nserver.hosts = [\"a.example\"]\n").await;
    assert!(line.contains("nothing changed") && line.contains(" INFO "), "{line}");
}

#[tokio::test]
async fn what_is_wrong_is_refused_as_a_whole_and_the_old_stays_in_force() {
    let keys = "auth.api_keys = [\"shop:key-one\"]\n";
    let node = Reloadable::start(keys).await;
    for (settings, told) in [
        ("auth.api_keys = [\"shop:key-two\"]\nserver.workers = \"many\"\n", "server.workers must be a whole number"),
        ("auth.api_keys = [\"shop:key-two\"]\nsever.bind = 1\n", "the sections are"),
        ("auth.api_keys = [\"shop:key-two\"]\nauth.mode = \"jwt\"\n", "needs auth.jwt_secret"),
        ("auth.api_keys = [\"shop:key-two\"]\n[admin", "is not TOML"),
    ] {
        let line = node.reload(settings).await;
        assert!(line.contains(" ERROR ") && line.contains("event=settings_refused"), "{line}");
        assert!(line.contains("settings.toml: ") && line.contains(told), "names the place and the setting: {line}");
        assert!(!line.contains("key-two"), "{line}");
        assert_eq!(node.ask("key-one", &question("?")).await.status, 200, "{settings}");
        assert_eq!(node.ask("key-two", &question("?")).await.status, 401, "{settings}");
    }
    std::fs::remove_file(node.file()).expect("removed");
    let line = node.hang_up().await;
    assert!(line.contains("event=settings_refused") && line.contains("cannot be read"), "{line}");
    assert_eq!(node.ask("key-one", &question("?")).await.status, 200);
}

#[tokio::test]
async fn operators_and_pages_are_let_in_by_what_the_settings_say_now() {
    let node = Reloadable::start("").await;
    let status = async |token: &str| {
        let request = node.request("GET", "/admin/api/groups").bearer_auth(token);
        request.send().await.expect("a reply").status().as_u16()
    };
    let connects = async |origin: &str| {
        let mut request = TestSocket::request(node.broker.address, "s1", "");
        request.headers_mut().insert("origin", origin.parse().expect("a header"));
        TestSocket::try_open(request).await
    };
    assert!(connects("https://app.example").await.is_none());
    let line =
        node.reload_all("admin.token = \"another-token\"\nserver.allowed_origins = [\"https://app.example\"]\n").await;
    assert!(line.contains("taken=server.allowed_origins,admin.token"), "{line}");
    assert_eq!((status(ADMIN_TOKEN).await, status("another-token").await), (401, 200));
    let mut page = connects("https://app.example").await.expect("it is let in");
    let reply =
        node.request("GET", "/v1/models").header("origin", "https://app.example").send().await.expect("a reply");
    assert_eq!(reply.headers()["access-control-allow-origin"], "https://app.example");
    // A token that is taken away is made up anew, and told; who is there stays.
    let line = node.reload_all("").await;
    assert!(line.contains("taken=server.allowed_origins,admin.token"), "{line}");
    assert_eq!(status("another-token").await, 401);
    let log = node.broker.log();
    let token = log.split_once("event=admin_token token=").expect("it is told").1.split_whitespace().next();
    assert_eq!(status(token.expect("a token")).await, 200);
    assert!(connects("https://app.example").await.is_none());
    assert_eq!(page.ask("p", json!({"type": "ping"})).await["type"], "pong");
}

#[tokio::test]
async fn the_page_is_told_what_the_settings_say_now() {
    let node = Reloadable::start("page.name = \"Before\"\n").await;
    let line = node.reload("page.name = \"After\"\npage.language = \"pt\"\n").await;
    assert!(line.contains("taken=page.name,page.language needs_restart=\"\""), "{line}");
    let response = node.request("GET", "/page/config.json").send().await.expect("a response");
    let told: serde_json::Value = response.json().await.expect("JSON");
    assert_eq!((&told["name"], &told["language"]), (&json!("After"), &json!("pt")));
    let line = node.reload("page.color = \"red\"\n").await;
    assert!(line.contains("event=settings_refused") && line.contains("#2c5f54"), "{line}");
    let line = node.reload("page.examples = [\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]\n").await;
    assert!(line.contains("event=settings_refused") && line.contains("page.examples must be at most 8"), "{line}");
}

#[tokio::test]
async fn under_load_no_request_fails_and_no_socket_is_cut() {
    let ai = AiServer::start().await;
    ai.set_default(|| Script::slow_answer("one two three", Duration::from_millis(5)));
    let settings = |level: &str, key: &str| {
        let url = ai.base_url();
        format!(
            "log.level = \"{level}\"\nai.base_url = \"{url}\"\nlimits.enabled = false\nauth.api_keys = [\"steady\", \"{key}\"]\n"
        )
    };
    let node = Arc::new(Reloadable::start(&settings("info", "turn-0")).await);
    let over = Arc::new(AtomicBool::new(false));
    let mut load = Vec::new();
    for asker in 0..4 {
        let (node, over) = (node.clone(), over.clone());
        load.push(tokio::spawn(async move {
            let mut asked = 0;
            while !over.load(Ordering::Relaxed) {
                let reply = node.ask("steady", &streamed(&format!("question {asked} of {asker}"))).await;
                assert_eq!((reply.status, reply.answer().as_str()), (200, "one two three"));
                asked += 1;
            }
            asked
        }));
    }
    let mut socket = TestSocket::open(node.broker.address, "s1", "").await;
    for turn in 0..10 {
        let line =
            node.reload(&settings(if turn % 2 == 0 { "debug" } else { "info" }, &format!("turn-{}", turn + 1))).await;
        assert!(line.contains("taken=auth.api_keys,log.level needs_restart=\"\""), "{line}");
        assert_eq!(node.ask(&format!("turn-{}", turn + 1), &question("?")).await.status, 200);
        assert_eq!(node.ask(&format!("turn-{turn}"), &question("?")).await.status, 401);
        assert_eq!(socket.say(&format!("m{turn}"), "still here").await["type"], "ack");
    }
    over.store(true, Ordering::Relaxed);
    for asker in load {
        assert!(asker.await.expect("no request failed") > 0);
    }
}
