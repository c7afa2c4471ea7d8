//! Which certificate a listener shows: good ones, bad ones, and those that come in the place of others.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use sophie_kit::certificates::{Authority, Issued};
use tempfile::TempDir;

use crate::support::{SOON, Secure, Trusting, eventually};

/// Why a client does not shake hands.
async fn refusal(trusting: &Trusting, secure: &Secure, name: &str) -> String {
    trusting.connect(secure.address(), name).await.expect_err("refused").to_string()
}

/// What the binary says of files that it cannot start with.
fn told(issued: &Issued, key: bool) -> String {
    let dir = TempDir::new().expect("a directory");
    let (certificate, key_file) = issued.write(dir.path());
    let mut command = Command::new(env!("CARGO_BIN_EXE_sophie"));
    command.current_dir(dir.path()).env("SOPHIE__SERVER__BIND", "127.0.0.1:0");
    command.env("SOPHIE__SERVER__TLS_CERT", certificate).env("RUST_LOG", "off");
    if key {
        command.env("SOPHIE__SERVER__TLS_KEY", key_file);
    }
    let output = command.output().expect("the binary starts");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(text.trim_end().lines().count(), 1, "one line: {text}");
    text
}

#[tokio::test]
async fn clients_refuse_what_has_ended_is_not_good_yet_or_is_for_another_name_or_of_another_authority() {
    let authority = Authority::new("one");
    let ended = authority.issue(&["localhost"], -2);
    let secure = Secure::showing(authority, ended, &[]).await;
    assert!(refusal(&secure.trusting(), &secure, "localhost").await.contains("expired"));
    let line = secure.logged("event=certificate_read").await;
    assert!(line.contains("ERROR") && line.contains("cert.pem") && line.contains("has expired"), "{line}");

    let authority = Authority::new("two");
    let tomorrow = SystemTime::now().duration_since(UNIX_EPOCH).expect("now") + Duration::from_secs(86_400);
    let early = authority.issue_between(&["localhost"], tomorrow, tomorrow * 2);
    let secure = Secure::showing(authority, early, &[]).await;
    assert!(refusal(&secure.trusting(), &secure, "localhost").await.contains("not valid yet"));
    assert!(secure.logged("event=certificate_read").await.contains("not good yet"));

    let secure = Secure::start(&[]).await;
    assert!(refusal(&secure.trusting(), &secure, "example.com").await.contains("not valid for name"));
    let stranger = Trusting::in_one(&Authority::new("three"));
    assert!(refusal(&stranger, &secure, "localhost").await.contains("UnknownIssuer"));
    let line = secure.logged("event=certificate_read").await;
    assert!(line.contains("INFO") && line.contains("days=29"), "{line}");
    // Who was refused by its clients serves the others.
    secure.open("s1").await.settled().await;
}

#[tokio::test]
async fn a_new_certificate_is_shown_from_the_next_handshake_on_and_nobody_is_cut() {
    let secure = Secure::start(&[]).await;
    let mut before = secure.open("s1").await;
    let shown = async |trusting: &Trusting| {
        let stream = trusting.connect(secure.address(), "localhost").await.ok()?;
        stream.get_ref().1.peer_certificates().map(|chain| chain[0].to_vec())
    };
    let first = shown(&secure.trusting()).await.expect("a certificate");

    // Of another authority, and about to end.
    let other = Authority::new("another authority");
    other.issue(&["localhost"], 5).write(secure.dir());
    assert_eq!(shown(&secure.trusting()).await.as_ref(), Some(&first), "until it is told to look");
    secure.broker.signal("-HUP");
    let trusting = Trusting::in_one(&other);
    let second = eventually("the new one is shown", SOON, async || shown(&trusting).await).await;
    assert_ne!(first, second);
    assert!(secure.logged("event=settings_reloaded").await.contains("taken=server.tls_cert"));
    assert_eq!(shown(&secure.trusting()).await, None, "who trusts the first authority alone stays away");
    let line = secure.logged("days=4").await;
    assert!(line.contains("WARN") && line.contains("renew it soon"), "{line}");
    assert_eq!(before.ask("p1", json!({"type": "ping"})).await["type"], "pong");

    // What cannot be used changes nothing, and is told.
    std::fs::write(secure.dir().join("cert.pem"), "half a certifi").expect("written");
    secure.broker.signal("-HUP");
    let line = secure.logged("event=settings_refused").await;
    assert!(line.contains("ERROR") && line.contains("server.tls_cert") && line.contains("cert.pem"), "{line}");
    assert_eq!(shown(&trusting).await.as_ref(), Some(&second));
    let foreign = other.issue(&["localhost"], 30);
    std::fs::write(secure.dir().join("cert.pem"), foreign.certificate).expect("written");
    secure.broker.signal("-HUP");
    let line = secure.logged("is not the key of the first certificate").await;
    assert!(line.contains("event=settings_refused") && line.contains("server.tls_key"), "{line}");
    assert_eq!(shown(&trusting).await.as_ref(), Some(&second));
    assert_eq!(before.ask("p2", json!({"type": "ping"})).await["type"], "pong");
    assert_eq!(before.say("m1", "still here").await["type"], "ack");
}

#[test]
fn a_start_with_files_that_are_of_no_use_fails_in_one_line() {
    let authority = Authority::new("one");
    let (good, other) = (authority.issue(&["localhost"], 30), authority.issue(&["localhost"], 30));
    let foreign = Issued { key: other.key, ..good.clone() };
    let text = told(&foreign, true);
    assert!(text.contains("server.tls_key") && text.contains("key.pem is not the key of"), "{text}");
    let text = told(&good, false);
    assert!(text.contains("SOPHIE__SERVER__TLS_CERT") && text.contains("server.tls_key"), "{text}");
    let text = told(&Issued { certificate: String::new(), ..good }, true);
    assert!(text.contains("server.tls_cert") && text.contains("has no certificate"), "{text}");
}
