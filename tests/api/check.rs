//! `sophie check`: settings, ports and names, and how all of it is told.

use std::collections::BTreeSet;
use std::path::Path;

use sophie_kit::HeldPort;
use tempfile::TempDir;

use crate::support::{ADMIN_TOKEN, Broker, Checked, FixedServer, Secure, TestServer, checked_text};

#[tokio::test]
async fn a_node_that_needs_nothing_would_work() {
    let checked = Checked::of(&[]).await;
    assert_eq!(checked.told(), [Vec::<&str>::new(), Vec::new()], "{checked:#?}");
    for code in ["settings_file", "settings_ok", "redis_off", "ai_demo", "port_free", "descriptors_ok"] {
        checked.finding(code);
    }
    assert_eq!(checked.report["version"], env!("CARGO_PKG_VERSION"));
    let (code, text) = checked_text(&[]).await;
    assert_eq!(code, Some(0));
    assert!(text.ends_with("\nno faults, no warnings: a node would work\n"), "{text}");
    assert_eq!(text.lines().count(), checked.report["findings"].as_array().expect("findings").len() + 1, "{text}");
}

/// The texts between quotes that are of this area.
fn codes(area: &str, text: &str, quote: char) -> BTreeSet<String> {
    let begin = format!("{area}_");
    let is_code = |word: &&str| word.starts_with(&begin) && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    text.split(quote).filter(is_code).map(str::to_owned).collect()
}

#[test]
fn every_code_is_in_the_documents_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    for folder in ["src/check", "src/check/redis"] {
        for entry in std::fs::read_dir(root.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(path).unwrap_or_default();
            code.push_str(text.split("#[cfg(test)]").next().unwrap_or_default());
        }
    }
    let page = std::fs::read_to_string(root.join("docs/operations.md")).expect("a text");
    for area in ["settings", "redis", "layer", "node", "ai", "hook", "jwks", "tls", "port", "descriptors"] {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{area}` | `{area}_"))).expect("a row");
        let known = codes(area, &code, '"');
        assert!(known.len() > 1, "{area} {known:?}");
        assert_eq!(codes(area, row, '`'), known, "{area}");
    }
}

#[tokio::test]
async fn settings_that_are_refused_are_a_fault_and_told_as_the_start_tells_them() {
    let checked = Checked::of(&[("SOPHIE__SERVER__WORKERS", "many")]).await;
    assert_eq!(checked.codes("fault"), ["settings_refused"]);
    assert!(checked.says("settings_refused", "found").contains("SOPHIE__SERVER__WORKERS"), "{checked:#?}");
    let checked = Checked::of(&[("SOPHIE__SERVER__BIND", "0.0.0.0:0")]).await;
    assert_eq!(checked.codes("fault"), ["settings_open"]);
    let checked = Checked::of(&[("REDIS_URL", "redis://:hunter22@localhost/0")]).await;
    assert_eq!(checked.told(), [vec![], vec!["settings_unused"]]);
    let checked = Checked::with(&["--settings", "nowhere.toml"], &[]).await;
    assert_eq!(checked.codes("fault"), ["settings_refused"]);
    assert!(checked.says("settings_file", "found").contains("not there"), "{checked:#?}");
}

#[tokio::test]
async fn a_port_of_another_program_is_a_fault_and_that_program_is_not_told_the_token() {
    let bind = |address: std::net::SocketAddr| address.to_string();
    for stranger in [
        FixedServer::start(200, "text/html", "<h1>Welcome</h1>").await,
        FixedServer::start(401, "application/json", r#"{"error":{"code":"unauthorized"}}"#).await,
        FixedServer::silent().await,
    ] {
        let address = bind(stranger.address);
        let token = ("SOPHIE__ADMIN__TOKEN", ADMIN_TOKEN);
        let checked = Checked::of(&[("SOPHIE__SERVER__BIND", &address), token]).await;
        assert_eq!(checked.codes("fault"), ["port_taken"], "{checked:#?}");
        let heard = stranger.heard();
        assert!(heard.contains("/health/live") && !heard.contains(ADMIN_TOKEN), "{heard}");
    }
}

#[tokio::test]
async fn a_port_of_a_running_node_is_no_fault_if_the_node_is_of_this_configuration() {
    let broker = Broker::start(0, &[]).await;
    let bind = broker.address.to_string();
    let bind = ("SOPHIE__SERVER__BIND", bind.as_str());
    let checked = Checked::of(&[bind, ("SOPHIE__ADMIN__TOKEN", ADMIN_TOKEN)]).await;
    assert_eq!(checked.told(), [Vec::<&str>::new(), Vec::new()]);
    checked.finding("port_ours");
    let checked = Checked::of(&[bind]).await;
    checked.finding("port_sophie");
    let checked = Checked::of(&[bind, ("SOPHIE__ADMIN__TOKEN", "another-token-of-the-tests")]).await;
    assert_eq!(checked.codes("fault"), ["port_other_node"]);
    let named = [bind, ("SOPHIE__ADMIN__TOKEN", ADMIN_TOKEN), ("SOPHIE__SERVER__NODE", "another")];
    assert_eq!(Checked::of(&named).await.codes("fault"), ["port_other_node"]);
}

#[tokio::test]
async fn a_running_node_is_known_by_the_port_of_its_operators_and_behind_tls() {
    let held = HeldPort::free();
    let admin = format!("127.0.0.1:{}", held.number());
    let admin = ("SOPHIE__ADMIN__BIND", admin.as_str());
    let broker = Broker::start(0, &[admin]).await;
    let bind = broker.address.to_string();
    let token = ("SOPHIE__ADMIN__TOKEN", ADMIN_TOKEN);
    let checked = Checked::of(&[admin, token, ("SOPHIE__SERVER__BIND", &bind)]).await;
    assert_eq!(checked.codes("fault"), [""; 0], "{checked:#?}");
    assert_eq!(checked.codes("ok").iter().filter(|code| **code == "port_ours").count(), 2);
    let stranger = FixedServer::start(404, "text/html", "no").await;
    let checked = Checked::of(&[admin, token, ("SOPHIE__SERVER__BIND", &stranger.address.to_string())]).await;
    assert_eq!(checked.codes("fault"), ["port_taken"]);

    let secure = Secure::start(&[]).await;
    let (certificate, key) = (secure.dir().join("cert.pem"), secure.dir().join("key.pem"));
    let files = [certificate.display().to_string(), key.display().to_string()];
    let bind = secure.address().to_string();
    let tls = [("SOPHIE__SERVER__TLS_CERT", files[0].as_str()), ("SOPHIE__SERVER__TLS_KEY", &files[1])];
    let checked = Checked::of(&[&tls[..], &[token, ("SOPHIE__SERVER__BIND", &bind)]].concat()).await;
    assert_eq!(checked.codes("fault"), [""; 0], "{checked:#?}");
    checked.finding("port_ours");
}

#[tokio::test]
async fn a_name_that_another_node_has_is_told_and_its_own_is_not() {
    let redis = TestServer::durable();
    let url = redis.url(0);
    let broker = Broker::start(0, &[("USE_REDIS", "true"), ("REDIS_URL", &url), ("SOPHIE__SERVER__NODE", "one")]).await;
    let bind = broker.address.to_string();
    let token = ("SOPHIE__ADMIN__TOKEN", ADMIN_TOKEN);
    let named = |name| ("SOPHIE__SERVER__NODE", name);
    crate::support::eventually("the name is known", crate::support::SOON, async || {
        let checked = Checked::redis(&url, &[token, named("one")]).await;
        (checked.told() == [vec![], vec!["node_taken"]]).then_some(())
    })
    .await;
    let checked = Checked::redis(&url, &[token, named("one"), ("SOPHIE__SERVER__BIND", &bind)]).await;
    assert_eq!(checked.told(), [Vec::<&str>::new(), Vec::new()], "{checked:#?}");
    assert!(checked.says("node_ok", "found").contains("runs here"), "{checked:#?}");
    let checked = Checked::redis(&url, &[token, named("two")]).await;
    assert!(checked.says("node_ok", "found").contains("two is free"), "{checked:#?}");
}

#[tokio::test]
async fn a_running_node_that_has_no_redis_is_not_taken_for_one_of_another_configuration() {
    let mut redis = TestServer::start();
    let url = redis.url(0);
    let broker = Broker::start(0, &[("USE_REDIS", "true"), ("REDIS_URL", &url), ("SOPHIE__SERVER__NODE", "one")]).await;
    redis.kill();
    let bind = broker.address.to_string();
    let own = [("SOPHIE__SERVER__BIND", bind.as_str()), ("SOPHIE__SERVER__NODE", "one")];
    let checked = Checked::redis(&url, &[&own[..], &[("SOPHIE__ADMIN__TOKEN", ADMIN_TOKEN)]].concat()).await;
    assert_eq!(checked.codes("fault"), ["redis_away"], "{checked:#?}");
    assert!(checked.says("port_sophie", "found").contains("while it has no Redis"), "{checked:#?}");
    let checked =
        Checked::redis(&url, &[&own[..], &[("SOPHIE__ADMIN__TOKEN", "another-token-of-the-tests")]].concat()).await;
    assert_eq!(checked.codes("fault"), ["redis_away", "port_other_node"], "{checked:#?}");
}

#[tokio::test]
async fn no_secret_is_shown_whatever_is_wrong() {
    let (redis, dir) = (TestServer::start(), TempDir::new().expect("a directory"));
    let refuse = ["SET", "requirepass", "the-right-password"];
    redis::cmd("CONFIG").arg(&refuse).query::<()>(&mut redis.connection(0)).expect("set");
    let page =
        FixedServer::start(401, "text/plain", "no: secret-of-the-ai, secret-of-the-hook, 'secret-of-header'").await;
    let url = redis.url(0).replace("//", "//:secret-of-redis@");
    let at = |user: &str| page.url("/v1").replace("//", &format!("//{user}@"));
    let (hook, jwks) = (at("a:secret-of-the-hook"), page.url("/keys?token=secret-of-the-keys"));
    let backends = format!(
        r#"[{{"name": "a", "base_url": "{}", "api_key": "secret-of-the-ai", "headers": {{"x-key": "secret-of-header"}}}}]"#,
        at("b:secret-of-the-url")
    );
    std::fs::write(dir.path().join("key.pem"), "secret-of-the-certificate").expect("written");
    let key = dir.path().join("key.pem").display().to_string();
    let environment = [
        ("USE_REDIS", "true"),
        ("REDIS_URL", url.as_str()),
        ("SOPHIE__CACHE__URL", "redis://:secret-of-the-cache@127.0.0.1:1/0"),
        ("SOPHIE__AUTH__MODE", "jwt"),
        ("SOPHIE__AUTH__JWT_SECRET", "secret-of-the-tokens"),
        ("SOPHIE__AUTH__HOOK_URL", &hook),
        ("SOPHIE__AUTH__JWKS_URL", &jwks),
        ("SOPHIE__AUTH__API_KEYS", "shop:secret-of-the-shop"),
        ("SOPHIE__AI__BACKENDS", &backends),
        ("SOPHIE__CHANNEL__ENCRYPTION_KEYS", "secret-of-the-layer"),
        ("SOPHIE__ADMIN__TOKEN", "secret-of-operators"),
        ("SOPHIE__SERVER__TLS_CERT", &key),
        ("SOPHIE__SERVER__TLS_KEY", &key),
    ];
    let checked = Checked::of(&environment).await;
    for code in ["redis_password", "redis_away", "ai_key", "jwks_broken", "tls_files"] {
        assert!(checked.codes("fault").contains(&code), "{code} {checked:#?}");
    }
    let (_, text) = checked_text(&environment).await;
    for said in [checked.report.to_string(), text] {
        assert!(!said.contains("secret-of"), "{said}");
    }
}
