//! Where the program listens, and where it refuses to.

use std::process::{Command, Output};

use sophie_kit::HeldPort;
use tempfile::TempDir;

use crate::support::{ADMIN_TOKEN, Broker, Client, SOON, eventually};

/// Runs the binary until it gives up.
fn refused(environment: &[(&str, &str)]) -> Output {
    let dir = TempDir::new().expect("a directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sophie"));
    command.current_dir(dir.path()).envs(environment.iter().copied());
    command.output().expect("the binary starts")
}

fn told(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("panicked"), "{text}");
    assert_eq!(text.trim_end().lines().count(), 1, "one line: {text}");
    text
}

async fn get(url: String) -> Option<u16> {
    let http = Client::new();
    http.get(url).bearer_auth(ADMIN_TOKEN).send().await.ok().map(|response| response.status().as_u16())
}

#[test]
fn an_open_address_is_refused_unless_both_settings_say_that_it_is_meant() {
    let bind = ("SOPHIE__SERVER__BIND", "0.0.0.0:0");
    let text = told(&refused(&[bind]));
    assert!(text.contains("admin.token") && text.contains("auth.open"), "{text}");
    assert!(text.contains("0.0.0.0"), "{text}");
    let text = told(&refused(&[bind, ("SOPHIE__ADMIN__TOKEN", "a-token")]));
    assert!(text.contains("auth.open") && !text.contains("a-token"), "{text}");
    let text = told(&refused(&[bind, ("SOPHIE__AUTH__OPEN", "true")]));
    assert!(text.contains("admin.token"), "{text}");
}

#[tokio::test]
async fn an_open_address_is_served_when_both_settings_say_so() {
    let held = HeldPort::free();
    let port = held.number();
    let bind = format!("0.0.0.0:{port}");
    let broker = Broker::start(port, &[("SOPHIE__SERVER__BIND", &bind), ("SOPHIE__AUTH__OPEN", "true")]).await;
    assert_eq!(get(format!("http://{}/health/ready", broker.address)).await, Some(200));
}

#[test]
fn a_port_in_use_is_told_in_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let text = told(&refused(&[("SOPHIE__SERVER__BIND", &address), ("RUST_LOG", "off")]));
    assert!(text.contains(&address) && text.contains("server.bind"), "{text}");
}

#[tokio::test]
async fn operators_may_have_a_port_of_their_own() {
    let held = HeldPort::free();
    let admin = format!("127.0.0.1:{}", held.number());
    let broker = Broker::start(0, &[("SOPHIE__ADMIN__BIND", &admin)]).await;
    // It listens to the public first.
    let live = format!("http://{admin}/health/live");
    eventually("it listens to operators", SOON, async || get(live.clone()).await).await;
    for path in ["/health/live", "/health/ready", "/metrics", "/admin/api/groups"] {
        assert_eq!(get(format!("http://{admin}{path}")).await, Some(200), "{path}");
        assert_eq!(get(format!("http://{}{path}", broker.address)).await, Some(404), "{path} is not public");
    }
    for path in ["/", "/ws/chat/s1", "/api/groups/g/messages"] {
        assert_eq!(get(format!("http://{admin}{path}")).await, Some(404), "{path} is not the operators'");
    }
    assert_eq!(get(format!("http://{}/", broker.address)).await, Some(200));
}
