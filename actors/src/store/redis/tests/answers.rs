//! Leases of answers whose calls fail or are repeated, and cached answers as Django finds them.

use sophie_kit::TestServer;

use super::*;
use crate::ids::random_text;
use crate::store::contract::{group, running};
use crate::store::{AnswerRecord, Renewed};

#[tokio::test]
async fn an_answer_that_begins_while_redis_is_away_gets_its_lease_when_it_is_back() {
    let mut server = TestServer::absent();
    let (stores, health) = connect(options(&server, PATIENT)).await.expect("good options");
    let record = running(&group("away"));
    assert!(stores.answers.begin(&record, None).await.is_err());
    server.launch();
    until_available(&health, true).await;
    assert_eq!(stores.answers.renew(&record.answer, "half").await.expect("back"), Renewed::Unknown);
    assert!(stores.answers.begin(&AnswerRecord { text: "half".into(), ..record }, None).await.expect("begun"));
    let mut connection = server.connection(0);
    let keys: Vec<String> = redis::cmd("KEYS").arg("*:answer:*").query(&mut connection).expect("listed");
    assert_eq!(keys.len(), 2, "the record and its text: {keys:?}");
}

#[tokio::test]
async fn a_renewal_may_be_repeated() {
    let redis = in_redis().await;
    let team = group("team");
    let record = running(&team);
    assert!(redis.stores.answers.begin(&record, None).await.expect("begun"));
    redis.stores.answers.renew(&record.answer, "one ").await.expect("renewed");
    // As if a renewal with "two " had been carried out, and its reply lost.
    let key = format!("{}:answer:{}:text", redis.options.prefix, record.answer);
    let mut connection = redis.server.connection(0);
    redis::cmd("APPEND").arg(&key).arg("two ").query::<()>(&mut connection).expect("written");
    assert_eq!(redis.stores.answers.renew(&record.answer, "two three").await.expect("renewed"), Renewed::Held);
    let text: String = redis::cmd("GET").arg(&key).query(&mut connection).expect("read");
    assert_eq!(text, "one two three");
}

#[tokio::test]
async fn django_finds_cached_answers_under_its_own_key() {
    let redis = in_redis().await;
    let digest = random_text(64);
    let mut connection = redis.server.connection(2);
    let key = format!(":1:sophie:answer:{digest}");
    redis::cmd("SET").arg(&key).arg("junk").arg("EX").arg(60).query::<()>(&mut connection).expect("set");
    assert_eq!(redis.stores.cache.get(&digest).await.expect("asked"), None, "what cannot be read is a miss");
    let answer = crate::store::CachedAnswer {
        model: "m".into(),
        text: "Grüße".into(),
        finish_reason: "stop".into(),
        created_at: "2025-10-09T08:53:20.123Z".into(),
        usage: None,
        chunks: vec![],
        span: None,
    };
    redis.stores.cache.put(&digest, &answer, None).await.expect("kept");
    let json: String = redis::cmd("GET").arg(&key).query(&mut connection).expect("read");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).expect("JSON")["text"], "Grüße");
    let ttl: i64 = redis::cmd("PTTL").arg(&key).query(&mut connection).expect("asked");
    assert!((1..=60_000).contains(&ttl));
}
