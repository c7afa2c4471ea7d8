//! What waits for the worker.

use super::*;
use crate::protocol::CacheStatus;
use crate::store::contract::{event, group, running};
use crate::store::{AnswerRecord, AnswerStart, Happened, StoredEvent, Told};

#[tokio::test]
async fn what_happens_waits_for_the_worker_in_order_until_it_is_done() {
    let redis = in_redis().await;
    let (stores, team) = (&redis.stores, group("team"));
    let record = running(&team);
    // What cannot be read, as of a later version, holds nobody up.
    let (key, mut adds) = (format!("{}:outbox", redis.options.prefix), redis::pipe());
    for _ in 0..100 {
        adds.cmd("XADD").arg(&key).arg("*").arg("t").arg("{\"told\":\"later\"}").ignore();
    }
    // With its end in the same moment: tests beside this one look whether all keys have one.
    adds.cmd("EXPIRE").arg(&key).arg(60).ignore();
    adds.atomic().exec(&mut redis.server.connection(0)).expect("added");
    assert_eq!(stores.worker_queue.waiting().await.expect("read"), []);
    stores.logs.append(event(&team, "one")).await.expect("stored");
    let start = AnswerStart { model: "m".into(), cache: CacheStatus::Miss };
    stores.answers.begin(&record, None).await.expect("begun");
    stores.answers.start(&AnswerRecord { start: Some(start), ..record.clone() }).await.expect("started");
    stores.answers.renew(&record.answer, "hi").await.expect("renewed");
    stores.answers.end(&record.answer, &team, "{\"end\":1}".into()).await.expect("ended");
    let waiting = beside(&redis).await.worker_queue.waiting().await.expect("read");
    let happened: Vec<&Happened> = waiting.iter().map(|entry| &entry.happened).collect();
    let body = |event: &str| event.to_owned().into();
    assert_eq!(happened[0], &Happened::Logged(StoredEvent { seq: 1, body: body("{\"text\":\"one\"}") }));
    assert!(matches!(happened[1], Happened::Told(Told::Started { .. })));
    assert!(matches!(happened[2], Happened::Told(Told::Grew { offset: 0, .. })));
    assert_eq!(happened[3], &Happened::Logged(StoredEvent { seq: 2, body: body("{\"end\":1}") }));
    stores.worker_queue.done(&waiting[0].id).await.expect("done");
    assert_eq!(stores.worker_queue.waiting().await.expect("read"), waiting[1..]);
    redis.finish();
}
