//! Logs on a Redis that forgets, that is not allowed to tell, or that holds something else.

use sophie_kit::TestServer;

use super::*;
use crate::ids::MessageId;
use crate::store::contract::{event, group, node_info, running};
use crate::store::{AnswerRecord, Append, Appended, Ended, Once, Page, PageSize, Renewed};

#[tokio::test]
async fn a_server_that_comes_back_empty_works_again_with_new_epochs() {
    let mut server = TestServer::start();
    let (stores, health) = connected(options(&server, PATIENT)).await;
    let team = group("team");
    let record = running(&team);
    let before = stores.logs.open(std::slice::from_ref(&team)).await.expect("opened").remove(0);
    assert!(stores.answers.begin(&record, None).await.expect("begun"));
    stores.answers.renew(&record.answer, "some ").await.expect("renewed");
    assert!(!stores.membership.heartbeat(&node_info()).await.expect("beaten").known);
    server.kill();
    until_available(&health, false).await;
    assert!(stores.logs.open(std::slice::from_ref(&team)).await.is_err());
    server.launch();
    until_available(&health, true).await;
    let after = stores.logs.open(std::slice::from_ref(&team)).await.expect("opened").remove(0);
    assert_ne!(after.head.epoch, before.head.epoch);
    assert!(!stores.membership.heartbeat(&node_info()).await.expect("beaten").known, "the data was lost");
    // The writer lives: it hears that nothing is known, and tells all of it.
    assert_eq!(stores.answers.renew(&record.answer, "more").await.expect("asked"), Renewed::Unknown);
    let whole = AnswerRecord { text: "some more".into(), ..record };
    assert!(stores.answers.begin(&whole, None).await.expect("begun"));
    let key = redis::cmd("KEYS").arg("*:text").query::<Vec<String>>(&mut server.connection(0)).expect("listed");
    let text: String = redis::cmd("GET").arg(&key).query(&mut server.connection(0)).expect("read");
    assert_eq!(text, "some more");
    assert_every_key_expires(&server);
}

#[tokio::test]
async fn a_flush_begins_a_new_epoch() {
    let server = TestServer::start();
    let (stores, _) = connected(options(&server, PATIENT)).await;
    let team = group("team");
    let Ok(Appended::New { epoch, seq: 1, .. }) = stores.logs.append(event(&team, "x")).await else { panic!("stored") };
    redis::cmd("FLUSHALL").query::<()>(&mut server.connection(0)).expect("flushed");
    assert_eq!(stores.logs.read_after(&team, 0, everything()).await.expect("read"), Page::none());
    let Ok(Appended::New { epoch: fresh, seq: 1, .. }) = stores.logs.append(event(&team, "y")).await else {
        panic!("new")
    };
    assert_ne!(fresh, epoch);
}

#[tokio::test]
async fn a_stream_without_its_group_is_not_continued() {
    let redis = in_redis().await;
    let team = group("team");
    for _ in 0..5 {
        redis.stores.logs.append(event(&team, "old")).await.expect("stored");
    }
    let key = format!("{}:head:team", redis.options.prefix);
    redis::cmd("DEL").arg(key).query::<()>(&mut redis.server.connection(0)).expect("evicted");
    assert!(matches!(redis.stores.logs.append(event(&team, "new")).await, Ok(Appended::New { seq: 1, .. })));
    let page = redis.stores.logs.read_after(&team, 0, everything()).await.expect("read");
    assert_eq!(page.events.len(), 1);
}

#[tokio::test]
async fn a_wrong_type_under_our_key_is_told_and_costs_no_connection() {
    let redis = in_redis().await;
    let (stores, health) = connected(redis.options.clone()).await;
    let key = format!("{}:head:team", redis.options.prefix);
    let mut connection = redis.server.connection(0);
    redis::cmd("SET").arg(&key).arg("x").arg("EX").arg(60).query::<()>(&mut connection).expect("set");
    let error = stores.logs.append(event(&group("team"), "x")).await.expect_err("a wrong type");
    assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
    assert!(health.available());
}

#[tokio::test]
async fn what_could_not_be_told_is_in_the_log_once_however_often_it_is_tried() {
    let server = TestServer::start();
    redis::cmd("ACL")
        .arg("SETUSER")
        .arg("mute")
        .arg(&["on", ">pw", "~*", "+@all", "resetchannels"])
        .query::<()>(&mut server.connection(0))
        .expect("a user");
    let mut options = options(&server, PATIENT);
    options.url = options.url.replace("//", "//mute:pw@");
    let (stores, _) = connected(options).await;
    let team = group("team");
    let once = Once { scope: "s".into(), id: "1".into(), fingerprint: "f".into(), seconds: 60 };
    let sent = Append { message: Some(MessageId::from("m1")), once: Some(once), ..event(&team, "x") };
    stores.logs.append(sent.clone()).await.expect_err("nobody may be told");
    for _ in 0..3 {
        let again = stores.logs.append(sent.clone()).await.expect("known");
        assert!(matches!(again, Appended::Again { seq: 1, .. }), "{again:?}");
    }
    let record = running(&team);
    let answer = record.answer.clone();
    stores.answers.begin(&record, None).await.expect("begun");
    stores.answers.end(&answer, &team, "{}".into()).await.expect_err("nobody may be told");
    for _ in 0..3 {
        assert_eq!(stores.answers.end(&answer, &team, "{}".into()).await.expect("known"), Ended::Before { seq: 2 });
    }
    assert_eq!(stores.logs.read_after(&team, 0, everything()).await.expect("read").events.len(), 2);
}

#[tokio::test]
async fn what_is_read_of_a_log_is_what_was_asked_for() {
    let server = TestServer::start();
    let options = RedisOptions { log_seconds: 3_600, ..options(&server, PATIENT) };
    let (stores, _) = connected(options).await;
    let team = group("team");
    for _ in 0..60 {
        stores.logs.append(event(&team, &"x".repeat(8_000))).await.expect("stored");
    }
    for (size, most) in [
        (PageSize { events: 1, bytes: 262_144 }, 2),
        (PageSize { events: 50, bytes: 20_000 }, 8),
        (PageSize { events: 50, bytes: 262_144 }, 40),
    ] {
        let told = monitored(&server, async {
            let page = stores.logs.read_before(&team, None, size).await.expect("read");
            assert!(page.more && page.events.len() <= size.events && !page.events.is_empty());
        });
        let count = |line: &String| -> Option<usize> {
            let (_, rest) = line.split_once("\"COUNT\" \"")?;
            rest.split('"').next()?.parse().ok()
        };
        let read: usize = told.await.iter().filter(|line| line.contains("XREVRANGE")).filter_map(count).sum();
        assert!((1..=most).contains(&read), "{read} entries for {size:?}");
    }
}
