//! The first lines of the log: who may come in, where, and what a node goes by.

use serde_json::json;

use crate::support::{Broker, JSON_LOG, TestServer};

#[tokio::test]
async fn the_first_lines_say_who_may_come_in_and_where_things_are() {
    let redis = TestServer::start();
    let url = redis.url(0).replace("//", "//:hunter2@");
    let secrets = [("OPENAI_API_KEY", "sk-secret"), ("OPENAI_BASE_URL", "http://me:word@127.0.0.1:1/v1?key=query")];
    let jwt = [("SOPHIE__AUTH__MODE", "jwt"), ("SOPHIE__AUTH__JWT_SECRET", "a secret that is long enough for a hash")];
    let more = [JSON_LOG, ("USE_REDIS", "true"), ("REDIS_URL", url.as_str()), ("SOPHIE__AI__BACKEND", "openai")];
    let apart =
        [("SOPHIE__ADMIN__BIND", "127.0.0.1:0"), ("SOPHIE__AUTH__API_KEYS", "[\"a-key-long-enough-to-be-one\"]")];
    let broker = Broker::start(0, &[&secrets[..], &jwt, &more, &apart].concat()).await;
    let auth = broker.tells("auth", &[("mode", json!("jwt"))]).await;
    assert_eq!(auth["open"], false, "{auth}");
    broker.tells("gateway", &[("open_to", json!("holders of a key")), ("keys", json!(1))]).await;
    let admin = broker.tells("admin", &[("apart", json!(true))]).await;
    let listens = admin["listens"].as_str().expect("an address").to_owned();
    assert!(listens.starts_with("127.0.0.1:") && listens != broker.address.to_string(), "{admin}");
    let backend = broker.tells("backend", &[("backend", json!("openai"))]).await;
    assert!(backend["url"].as_str().is_some_and(|url| url.contains("@127.0.0.1:1/v1")), "{backend}");
    let storage = broker.tells("storage", &[("redis", json!(true))]).await;
    let port = redis.port();
    for (database, number) in [("url", 0), ("general", 1), ("cache", 2), ("layer", 0)] {
        assert_eq!(storage[database], json!(format!("redis://:***@127.0.0.1:{port}/{number}")), "{storage}");
    }
    for secret in ["hunter2", "sk-secret", "word@", "=query", "a secret that", "a-key-long"] {
        assert!(!broker.log().contains(secret), "{secret}");
    }
}
