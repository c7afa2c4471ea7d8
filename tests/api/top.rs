//! `sophie top` in a real terminal.

use std::process::{Command, Output};

use serde_json::json;
use sophie_kit::HeldPort;
use sophie_kit::ai_server::{AiServer, Script};
use tempfile::TempDir;

use crate::support::{ADMIN_TOKEN, Broker, SOON, TestServer, TestSocket, eventually};

/// The program in a terminal of tmux's, which ends when it is dropped.
struct Screen(TempDir);

impl Screen {
    fn start(arguments: &str, environment: &[(&str, &str)]) -> Self {
        let screen = Self(TempDir::new().expect("a directory"));
        // What it says last stays to be read.
        let shell = format!("{} top {arguments}; echo ended with $?; exec sleep 600", env!("CARGO_BIN_EXE_sophie"));
        let mut tmux = screen.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "110", "-y", "30", &shell]);
        let started = tmux.current_dir(screen.0.path()).envs(environment.iter().copied()).status();
        assert!(started.expect("these tests need tmux: install it with `apt-get install tmux`").success());
        screen
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let mut tmux = Command::new("tmux");
        tmux.arg("-S").arg(self.0.path().join("socket")).args(arguments).env("TERM", "xterm-256color");
        tmux
    }

    fn press(&self, key: &str) {
        assert!(self.tmux(&["send-keys", key]).status().expect("tmux").success());
    }

    /// What stands there now.
    fn text(&self) -> String {
        let shown = self.tmux(&["capture-pane", "-p"]).output().expect("tmux");
        String::from_utf8_lossy(&shown.stdout).into_owned()
    }

    /// Waits until all of it stands there.
    async fn shows(&self, words: &[&str]) -> String {
        eventually(&format!("{words:?} in {}", self.text()), SOON, async || {
            let text = self.text();
            words.iter().all(|word| text.contains(word)).then_some(text)
        })
        .await
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        _ = self.tmux(&["kill-server"]).status();
    }
}

const TOKEN: (&str, &str) = ("SOPHIE__ADMIN__TOKEN", ADMIN_TOKEN);

#[tokio::test]
async fn it_shows_how_a_node_fares_and_arrows_choose_a_table() {
    let (redis, ai) = (TestServer::start(), AiServer::start().await);
    let (script, gate) = Script::gated();
    ai.push(script);
    let broker = Broker::node(&redis.url(0), &ai, "first", &[]).await;
    let mut socket = TestSocket::open(broker.address, "s1", "").await;
    socket.insist_on("j", json!({"type": "group.join", "group": "team-7"})).await;
    socket.insist_on("q", json!({"type": "message.send", "group": "team-7", "text": "Tell me."})).await;
    gate.word("one ");
    socket.event_of("answer.delta").await;
    let bind = broker.address.to_string();
    let screen = Screen::start("", &[TOKEN, ("SOPHIE__SERVER__BIND", &bind)]);
    let counts = "sockets 1  sessions 1  groups 2  answers 1";
    screen.shows(&["ready", counts, "backends 1 of 1", "redis ok", "nodes 1", "team-7", "members", "q quit"]).await;
    screen.press("Right");
    let answers = screen.shows(&["group or key", "gpt-4o-mini"]).await;
    assert!(answers.contains("team-7") && !answers.contains("last seq"), "{answers}");
    screen.press("Right");
    screen.shows(&["openai", "closed"]).await;
    screen.press("Right");
    screen.shows(&["main", "general", "noeviction"]).await;
    screen.press("Right");
    screen.shows(&["first", env!("CARGO_PKG_VERSION")]).await;
    screen.press("Right");
    screen.shows(&["last seq"]).await;
    gate.finish();
    screen.shows(&["answers 0"]).await;
    screen.press("q");
    screen.shows(&["ended with 0"]).await;
}

#[tokio::test]
async fn a_node_that_drains_and_then_is_gone_is_told_on_the_screen() {
    let ai = AiServer::start().await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let long = ("SOPHIE__SERVER__DRAIN_SECONDS", "120");
    let broker = Broker::start(0, &[&ai.environment()[..], &[long]].concat()).await;
    let mut socket = TestSocket::open(broker.address, "s1", "").await;
    socket.ask("q", json!({"type": "message.send", "text": "Tell me."})).await;
    gate.word("half");
    socket.event_of("answer.delta").await;
    let url = format!("--url http://{}/", broker.address);
    let screen = Screen::start(&url, &[TOKEN]);
    screen.shows(&["ready", "sockets 1"]).await;
    broker.signal("-TERM");
    screen.shows(&["not ready: this node is draining"]).await;
    broker.signal("-KILL");
    screen.shows(&["no node answers at http://"]).await;
    screen.press("Escape");
    screen.shows(&["ended with 0"]).await;
}

fn told(environment: &[(&str, &str)]) -> String {
    let dir = TempDir::new().expect("a directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sophie"));
    command.current_dir(dir.path()).arg("top").env_remove("SOPHIE__ADMIN__TOKEN").envs(environment.iter().copied());
    let Output { status, stdout, stderr } = command.output().expect("the binary starts");
    assert_eq!((status.code(), stdout.len()), (Some(1), 0));
    let text = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(text.trim_end().lines().count(), 1, "one line: {text}");
    text
}

#[tokio::test]
async fn without_a_token_a_node_or_a_terminal_it_says_what_is_wrong_in_a_line() {
    let broker = Broker::start(0, &[]).await;
    let held = HeldPort::free();
    let nobody = format!("127.0.0.1:{}", held.number());
    let bind = broker.address.to_string();
    let bind = ("SOPHIE__SERVER__BIND", bind.as_str());
    for (environment, words) in [
        (vec![bind], "admin.token is not set"),
        (vec![bind, ("SOPHIE__ADMIN__TOKEN", "another-token-of-the-tests")], "does not take this admin token"),
        (vec![TOKEN, ("SOPHIE__SERVER__BIND", &nobody)], "no node answers at http://127.0.0.1:"),
        (vec![TOKEN, bind], "needs a terminal"),
    ] {
        // A node that pauses for the three seconds for which it is waited is taken for none.
        let text = eventually(words, SOON, async || Some(told(&environment)).filter(|text| text.contains(words))).await;
        assert!(!text.contains("-token-of-the-tests"), "{text}");
    }
}
