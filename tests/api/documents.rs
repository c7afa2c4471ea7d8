//! `/openapi.json` and `/asyncapi.json`: served to everybody, and true of every route.

mod routes;

use serde_json::Value;

use crate::support::{Mode, Reply, TestApp};

#[tokio::test]
async fn both_documents_are_served_without_a_token_and_not_sent_again_to_who_has_them() {
    let app = TestApp::patient(Mode::Memory, &[("SOPHIE__SERVER__ALLOWED_ORIGINS", "https://docs.example")]).await;
    for (path, version) in [("/openapi.json", "openapi"), ("/asyncapi.json", "asyncapi")] {
        let whole = Reply::to(app.request("GET", path).header("origin", "https://docs.example")).await;
        assert_eq!((whole.status, whole.header("cache-control")), (200, "no-cache"), "{path}");
        assert_eq!(whole.header("access-control-allow-origin"), "https://docs.example");
        let document = whole.json();
        assert!(document[version].as_str().is_some_and(|version| version.starts_with("3.")), "{path}");
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        let etag = whole.header("etag");
        assert!(etag.starts_with('"') && etag.len() > 10, "{etag}");
        let again = Reply::to(app.request("GET", path).header("if-none-match", etag)).await;
        assert_eq!((again.status, again.header("etag"), again.text.as_str()), (304, etag, ""));
        let other = Reply::to(app.request("GET", path).header("if-none-match", "\"other\"")).await;
        assert_eq!(other.status, 200);
        let head = Reply::to(app.request("HEAD", path)).await;
        assert_eq!((head.status, head.header("etag"), head.text.as_str()), (200, etag, ""));
        let foreign = Reply::to(app.request("GET", path).header("origin", "https://elsewhere.example")).await;
        assert_eq!((foreign.status, foreign.header("access-control-allow-origin")), (200, ""));
    }
}

#[tokio::test]
async fn the_documents_are_on_the_public_address_and_say_where_the_chats_are() {
    let environment = [("SOPHIE__ADMIN__BIND", "127.0.0.1:0"), ("SOPHIE__CHAT__PATH", "/talk")];
    let app = TestApp::patient(Mode::Memory, &environment).await;
    let openapi: Value = Reply::to(app.request("GET", "/openapi.json")).await.json();
    assert!(openapi["paths"]["/talk/{chat}/messages"].is_object() && openapi["paths"].get("/api/chat").is_none());
    let asyncapi: Value = Reply::to(app.request("GET", "/asyncapi.json")).await.json();
    assert_eq!(asyncapi["channels"]["ai-sdk"]["address"], "/talk");
    assert_eq!(Reply::to(app.request("GET", "/talk/c/messages")).await.status, 200);
}
