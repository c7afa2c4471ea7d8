//! What signals do besides SIGTERM's drain: a second one, and those of a terminal.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use sophie_kit::HeldPort;
use sophie_kit::ai_server::{AiServer, Script};
use tokio::time::{Instant, sleep};

use crate::support::{ADMIN_TOKEN, Broker, SOON, TestSocket, eventually};

/// A drain that nobody waits for to the end.
const LONG_DRAIN: &str = "120";

async fn until_draining(broker: &Broker) {
    eventually("draining", SOON, async || (broker.readiness().await.0 == 503).then_some(())).await;
}

#[tokio::test]
async fn a_second_signal_ends_a_drain_at_once_but_not_one_that_comes_with_the_first() {
    let ai = AiServer::start().await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut broker =
        Broker::start(0, &[&ai.environment()[..], &[("SOPHIE__SERVER__DRAIN_SECONDS", LONG_DRAIN)]].concat()).await;
    let mut socket = TestSocket::open(broker.address, "s1", "").await;
    socket.ask("q", json!({"type": "message.send", "text": "Tell me."})).await;
    gate.word("half");
    socket.event_of("answer.delta").await;
    // It hears of both when it goes on, however long it takes to send two signals.
    for signal in ["-STOP", "-TERM", "-INT", "-CONT"] {
        broker.signal(signal);
    }
    until_draining(&broker).await;
    // The two were one wish: the answer still goes on.
    gate.word(" more");
    socket.event_of("answer.delta").await;
    sleep(Duration::from_millis(1_100)).await;
    broker.signal("-INT");
    let error = socket.event_of("answer.error").await;
    assert_eq!((&error["code"], &error["text"]), (&json!("interrupted"), &json!("half more")));
    assert_eq!(socket.closing().await["code"], 4001, "a goodbye behind it");
    let since = Instant::now();
    let (code, _) = tokio::task::spawn_blocking(move || broker.wait(SOON)).await.expect("waited");
    assert_eq!(code, Some(0));
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
}

#[tokio::test]
async fn sighup_of_nobodys_terminal_is_told_and_changes_nothing() {
    let broker = Broker::start(0, &[]).await;
    let mut socket = TestSocket::open(broker.address, "s1", "").await;
    for _ in 0..2 {
        let before = broker.log().matches("signal=SIGHUP").count();
        broker.signal("-HUP");
        eventually("told", SOON, async || (broker.log().matches("signal=SIGHUP").count() > before).then_some(())).await;
    }
    assert!(broker.log().contains("nothing changed event=settings_reloaded"), "{}", broker.log());
    socket.ask("p", json!({"type": "ping"})).await;
    assert_eq!(broker.readiness().await.0, 200);
}

/// The program in a terminal of its own, as `script` (of Debian's bsdutils) makes one.
struct Terminal {
    holder: Child,
    port: HeldPort,
}

impl Terminal {
    async fn start(before: &str) -> Self {
        let port = HeldPort::free();
        let command = format!("exec {before} {} 2>/dev/null", env!("CARGO_BIN_EXE_sophie"));
        let mut script = Command::new("script");
        script.args(["-q", "-e", "-c", &command, "/dev/null"]).current_dir(std::env::temp_dir());
        script
            .env("SOPHIE__SERVER__BIND", format!("127.0.0.1:{}", port.number()))
            .env("SOPHIE__ADMIN__TOKEN", ADMIN_TOKEN);
        script.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let holder = script.spawn().expect("these tests need `script`: install it with `apt-get install bsdutils`");
        let terminal = Self { holder, port };
        eventually("it serves", SOON, async || terminal.serves().await.then_some(())).await;
        terminal
    }

    async fn serves(&self) -> bool {
        tokio::net::TcpStream::connect(("127.0.0.1", self.port.number())).await.is_ok()
    }

    /// The terminal goes, as when a window is closed.
    fn close(&mut self) {
        _ = self.holder.kill();
        _ = self.holder.wait();
    }
}

#[tokio::test]
async fn a_terminal_that_goes_is_a_drain() {
    let mut terminal = Terminal::start("env --default-signal=HUP").await;
    let address = ([127, 0, 0, 1], terminal.port.number()).into();
    let mut socket = TestSocket::open(address, "s1", "").await;
    terminal.close();
    let closing = socket.closing().await;
    assert_eq!((&closing["code"], &closing["reconnect"]), (&json!(4001), &json!(true)));
    drop(socket);
    eventually("it has ended", SOON * 2, async || (!terminal.serves().await).then_some(())).await;
}

#[tokio::test]
async fn who_was_started_to_outlive_its_terminal_does() {
    let mut terminal = Terminal::start("nohup").await;
    let address = ([127, 0, 0, 1], terminal.port.number()).into();
    let mut socket = TestSocket::open(address, "s1", "").await;
    terminal.close();
    // Longer than it takes to see that a terminal is gone, and to begin a drain.
    sleep(Duration::from_secs(2)).await;
    socket.ask("p", json!({"type": "ping"})).await;
    assert!(terminal.serves().await);
    let pattern = format!("SOPHIE__SERVER__BIND=127.0.0.1:{}", terminal.port.number());
    for entry in std::fs::read_dir("/proc").expect("Linux").flatten() {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if String::from_utf8_lossy(&environment).contains(&pattern) {
            let pid = entry.file_name().to_string_lossy().into_owned();
            assert!(Command::new("kill").args(["-KILL", &pid]).status().expect("kill is there").success());
        }
    }
}
