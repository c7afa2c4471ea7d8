//! A flight at two nodes.

use super::*;
use crate::ids::random_text;
use crate::store::{Boarding, Course, FLIGHT_LEASE_MS, FlightStanding};

#[tokio::test]
async fn a_flight_whose_lease_ran_out_lands_for_those_who_wait_for_it() {
    let redis = in_redis().await;
    let flights = &redis.stores.flights;
    let digest = random_text(16);
    let Ok(Boarding::Lead(flight)) = flights.board(&digest, false).await else { panic!("nobody else leads") };
    let other = beside(&redis).await.flights;
    assert_eq!(other.board(&digest, false).await.expect("asked"), Boarding::Follow(flight.clone()));
    // As after an outage longer than the lease.
    let key = format!("{}:flight:{digest}", redis.options.prefix);
    let gone: usize = redis::cmd("DEL").arg(&key).query(&mut redis.server.connection(0)).expect("deleted");
    assert_eq!(gone, 1);
    assert!(!flights.land(&flight, false, "{}").await.expect("asked"), "somebody may need the chunks");
    flights.add(&flight, 0, &["one".into()]).await.expect("added");
    assert!(flights.land(&flight, true, "{}").await.expect("asked"));
    let (chunks, course) = other.read(&flight, 0).await.expect("read");
    assert_eq!((chunks, course), (vec!["one".into()], Course::Landed("{}".into())));
}

async fn flights() -> (InRedis, Stores, String) {
    let redis = in_redis().await;
    let other = beside(&redis).await;
    (redis, other, random_text(64))
}

/// Who follows a flight does so for long: it counts for two seconds after each look, which a busy machine may pause.
fn follow_for_long(redis: &InRedis, digest: &str) {
    let (key, mut connection) = (format!("{}:flight:{digest}", redis.options.prefix), redis.server.connection(0));
    let fields: Vec<String> = redis::cmd("HKEYS").arg(&key).query(&mut connection).expect("listed");
    let mut longer = redis::pipe();
    for node in fields.iter().filter(|field| field.starts_with("node:")) {
        longer.cmd("HSET").arg(&key).arg(node).arg(1_u64 << 50).ignore();
    }
    longer.cmd("PEXPIRE").arg(&key).arg(FLIGHT_LEASE_MS).ignore();
    longer.atomic().exec(&mut connection).expect("written");
}

fn lines(texts: &[&str]) -> Vec<bytestring::ByteString> {
    texts.iter().map(|&text| text.into()).collect()
}

#[tokio::test]
async fn one_node_leads_a_flight_and_the_others_read_all_of_it() {
    let (redis, other, digest) = flights().await;
    let (one, two) = (redis.stores.flights.clone(), other.flights.clone());
    let Ok(Boarding::Lead(flight)) = one.board(&digest, false).await else { panic!("nobody else leads") };
    assert_eq!(one.add(&flight, 0, &[]).await.expect("added"), FlightStanding::Alone);
    assert_eq!(two.board(&digest, false).await.expect("asked"), Boarding::Follow(flight.clone()));
    follow_for_long(&redis, &digest);
    for _ in 0..2 {
        assert_eq!(
            one.add(&flight, 0, &lines(&["a", "b"])).await.expect("added"),
            FlightStanding::Followed,
            "repeated"
        );
    }
    assert_eq!(two.read(&flight, 1).await.expect("read"), (lines(&["b"]), Course::Flying));
    follow_for_long(&redis, &digest);
    assert!(!one.give_up(&flight, false).await.expect("asked"), "somebody follows");
    assert!(!one.land(&flight, false, "{}").await.expect("asked"), "somebody needs the rest first");
    assert_eq!(one.add(&flight, 2, &lines(&["c"])).await.expect("added"), FlightStanding::Followed);
    assert!(one.land(&flight, true, "{\"end\":1}").await.expect("landed"));
    assert_eq!(two.read(&flight, 2).await.expect("read"), (lines(&["c"]), Course::Landed("{\"end\":1}".into())));
    assert_eq!(two.board(&digest, false).await.expect("asked"), Boarding::Landed);
    assert!(matches!(two.board(&digest, true).await, Ok(Boarding::Lead(anew)) if anew != flight));
    redis.finish();
}

#[tokio::test]
async fn a_flight_that_nobody_follows_any_more_may_be_given_up_and_is_lost_to_who_comes_late() {
    let (redis, other, digest) = flights().await;
    let (one, two) = (redis.stores.flights.clone(), other.flights.clone());
    let Ok(Boarding::Lead(flight)) = one.board(&digest, false).await else { panic!("nobody else leads") };
    two.board(&digest, false).await.expect("follows");
    two.leave(&flight).await.expect("left");
    assert_eq!(one.add(&flight, 0, &[]).await.expect("added"), FlightStanding::Alone);
    assert!(one.give_up(&flight, false).await.expect("given up"));
    assert_eq!(two.read(&flight, 0).await.expect("read").1, Course::Lost);
    let Ok(Boarding::Lead(next)) = two.board(&digest, false).await else { panic!("free to be led") };
    assert_eq!(one.add(&flight, 0, &lines(&["late"])).await.expect("asked"), FlightStanding::Lost);
    assert!(one.give_up(&flight, true).await.expect("nothing of ours"));
    assert_eq!(two.add(&next, 0, &[]).await.expect("added"), FlightStanding::Alone, "another's is left alone");
    redis.finish();
}

#[tokio::test]
async fn a_leader_that_is_not_heard_of_is_lost_and_one_that_comes_back_in_time_is_not() {
    let (redis, other, digest) = flights().await;
    let Ok(Boarding::Lead(flight)) = redis.stores.flights.board(&digest, false).await else { panic!("leads") };
    let key = format!("{}:flight:{digest}", redis.options.prefix);
    let life: u64 = redis::cmd("PTTL").arg(&key).query(&mut redis.server.connection(0)).expect("asked");
    assert!(life <= FLIGHT_LEASE_MS, "{life}");
    redis::cmd("DEL").arg(&key).exec(&mut redis.server.connection(0)).expect("as if the lease had run out");
    assert_eq!(other.flights.read(&flight, 0).await.expect("read").1, Course::Lost);
    redis.stores.flights.add(&flight, 0, &[]).await.expect("known again");
    assert_eq!(other.flights.read(&flight, 0).await.expect("read").1, Course::Flying);
    redis.finish();
}
