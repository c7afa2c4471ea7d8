//! `sophie check` against what is behind an address of the settings: AI backends, the application, keys, certificates.

use std::net::SocketAddr;

use serde_json::json;
use sophie_kit::ai_server::{AiServer, Script};
use sophie_kit::certificates::{Authority, Issued};
use tempfile::TempDir;

use crate::support::{Checked, FixedServer};

const MODEL: (&str, &str) = ("SOPHIE__AI__MODEL", "test-model");
const PAGE: &str = "<!doctype html><html><title>Welcome</title></html>";

async fn with_ai(url: &str, arguments: &[&str], more: &[(&str, &str)]) -> Checked {
    let environment = [&[("OPENAI_BASE_URL", url), ("OPENAI_API_KEY", "a-key-of-the-tests"), MODEL], more].concat();
    Checked::with(arguments, &environment).await
}

#[tokio::test]
async fn a_backend_that_has_the_model_is_all_right_and_is_asked_nothing() {
    let ai = AiServer::start().await;
    let checked = with_ai(&ai.base_url(), &[], &[]).await;
    assert_eq!(checked.told(), [Vec::<&str>::new(), Vec::new()], "{checked:#?}");
    assert!(checked.says("ai_ok", "found").contains("test-model"), "{checked:#?}");
    assert_eq!(ai.calls(), 0);
}

#[tokio::test]
async fn a_model_is_asked_for_one_token_if_that_is_asked_for() {
    let ai = AiServer::start().await;
    let checked = with_ai(&ai.base_url(), &["--ask"], &[]).await;
    checked.finding("ai_asked");
    assert_eq!((ai.calls(), &ai.call(0).body["max_tokens"]), (1, &json!(1)));
    let refusal = r#"{"error":{"message":"Unsupported parameter: 'max_tokens'","param":"max_tokens","code":"unsupported_parameter"}}"#;
    ai.push(Script::respond(400, &[("content-type", "application/json")], refusal));
    let checked = with_ai(&ai.base_url(), &["--ask"], &[]).await;
    checked.finding("ai_asked");
    assert_eq!(ai.call(2).body["max_completion_tokens"], json!(1), "newer models know another name");
    ai.push(Script::refusal(500, "server_error", "", &[]));
    let checked = with_ai(&ai.base_url(), &["--ask"], &[]).await;
    assert_eq!(checked.codes("fault"), ["ai_trouble"], "{checked:#?}");
}

#[tokio::test]
async fn a_model_that_is_not_offered_is_a_fault_which_names_those_that_are() {
    let ai = AiServer::start().await;
    ai.set_models(&["llama3.2:latest", "other"]);
    let checked = with_ai(&ai.base_url(), &[], &[]).await;
    assert_eq!(checked.codes("fault"), ["ai_model"], "{checked:#?}");
    assert!(checked.says("ai_model", "do").contains("llama3.2:latest, other"), "{checked:#?}");
    let checked = with_ai(&ai.base_url(), &[], &[("SOPHIE__AI__MODEL", "llama3.2")]).await;
    assert_eq!(checked.codes("fault"), [""; 0], "by its shorter name: {checked:#?}");
    let backends = format!(r#"[{{"name": "a", "base_url": "{}", "models": ["other"]}}]"#, ai.base_url());
    let checked = Checked::of(&[("SOPHIE__AI__BACKENDS", &backends), MODEL]).await;
    assert_eq!(checked.codes("fault"), ["ai_no_backend"], "{checked:#?}");
}

#[tokio::test]
async fn an_address_without_v1_is_a_fault_that_says_so() {
    for (status, kind, body) in [
        (404, "text/plain", "404 page not found"),
        (404, "application/json", r#"{"detail":"Not Found"}"#),
        (200, "text/html", PAGE),
        (302, "text/html", ""),
    ] {
        let server = FixedServer::start(status, kind, body).await;
        let checked = with_ai(&server.url(""), &[], &[]).await;
        assert_eq!(checked.codes("fault"), ["ai_address"], "{status} {body} {checked:#?}");
        assert!(checked.says("ai_address", "do").contains("/v1"), "{checked:#?}");
    }
}

#[tokio::test]
async fn a_backend_that_lists_no_models_is_a_warning() {
    let server = FixedServer::answering(|line| match line.starts_with("POST /v1/chat/completions") {
        true => (400, "application/json", r#"{"error":{"message":"messages is missing"}}"#.into()),
        false => (404, "application/json", r#"{"detail":"Not Found"}"#.into()),
    })
    .await;
    let checked = with_ai(&server.url("/v1"), &[], &[]).await;
    assert_eq!(checked.told(), [vec![], vec!["ai_unlisted"]], "{checked:#?}");
}

#[tokio::test]
async fn a_backend_that_refuses_is_away_or_silent_is_a_fault_each() {
    let key = r#"{"error":{"message":"Incorrect API key provided: a-key-of-the-tests","code":"invalid_api_key"}}"#;
    let (refusing, silent) = (FixedServer::start(401, "application/json", key).await, FixedServer::silent().await);
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
    for (url, code) in
        [(refusing.url("/v1"), "ai_key"), (silent.url("/v1"), "ai_silent"), (format!("http://{nobody}/v1"), "ai_away")]
    {
        let checked = with_ai(&url, &["--ask"], &[]).await;
        assert!(checked.codes("fault").iter().all(|it| *it == code), "{code} {checked:#?}");
        assert!(!checked.report.to_string().contains("a-key-of-the-tests"), "{checked:#?}");
    }
}

async fn with_hook(server: &FixedServer) -> Checked {
    Checked::of(&[("SOPHIE__AUTH__MODE", "hook"), ("SOPHIE__AUTH__HOOK_URL", &server.url("/sophie/"))]).await
}

#[tokio::test]
async fn an_application_that_answers_with_a_page_is_a_fault() {
    for (status, kind, body) in
        [(200, "text/html", PAGE), (302, "text/html", ""), (404, "text/html", PAGE), (500, "text/plain", "oh")]
    {
        let checked = with_hook(&FixedServer::start(status, kind, body).await).await;
        assert_eq!(checked.codes("fault"), ["hook_broken"], "{status} {checked:#?}");
    }
    let checked = with_hook(&FixedServer::silent().await).await;
    assert_eq!(checked.codes("fault").len(), 1, "{checked:#?}");
    assert!(checked.codes("fault")[0].starts_with("hook_"), "{checked:#?}");
    for (status, body) in [(401, ""), (403, ""), (200, r#"{"user": "guest"}"#)] {
        let checked = with_hook(&FixedServer::start(status, "application/json", body).await).await;
        assert_eq!(checked.told(), [Vec::<&str>::new(), Vec::new()], "{status} {checked:#?}");
        checked.finding("hook_ok");
    }
}

#[tokio::test]
async fn keys_that_are_none_are_a_fault() {
    let jwk = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    for (kind, body, fault) in [
        ("text/html", PAGE, true),
        ("application/json", r#"{"issuer":"https://idp.example.com"}"#, true),
        ("application/json", r#"{"keys":[]}"#, true),
        ("application/json", jwk, false),
    ] {
        let server = FixedServer::start(200, kind, body).await;
        let url = server.url("/keys");
        let checked = Checked::of(&[("SOPHIE__AUTH__MODE", "jwt"), ("SOPHIE__AUTH__JWKS_URL", &url)]).await;
        assert_eq!(checked.codes("fault").contains(&"jwks_broken"), fault, "{body} {checked:#?}");
    }
}

#[tokio::test]
async fn certificates_that_do_not_fit_or_have_ended_are_faults() {
    let authority = Authority::new("an authority of the tests");
    let (good, other) = (authority.issue(&["localhost"], 30), authority.issue(&["localhost"], 30));
    let mixed = Issued { certificate: good.certificate.clone(), key: other.key };
    for (issued, told) in [
        (good, [vec![], vec![]]),
        (mixed, [vec!["tls_files"], vec![]]),
        (authority.issue(&["localhost"], 3), [vec![], vec!["tls_ends_soon"]]),
        (authority.issue(&["localhost"], -3), [vec!["tls_ended"], vec![]]),
    ] {
        let dir = TempDir::new().expect("a directory");
        let (certificate, key) = issued.write(dir.path());
        let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
        let checked =
            Checked::of(&[("SOPHIE__SERVER__TLS_CERT", &certificate), ("SOPHIE__SERVER__TLS_KEY", &key)]).await;
        assert_eq!(checked.told(), told, "{checked:#?}");
    }
}
