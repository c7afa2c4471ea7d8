//! Slots: leases of a bounded number.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::*;

fn room(name: &str, slots: usize) -> Room {
    Room { name: name.into(), slots }
}

fn held(room: &str, holder: &str) -> Held {
    Held { room: room.into(), holder: holder.into() }
}

pub(in crate::store) async fn exactly_as_many_slots_are_given_as_there_are(stores: Stores) {
    let mut tasks = JoinSet::new();
    for n in 0..100 {
        let stores = stores.clone();
        tasks.spawn(async move { (n, stores.slots.take(&n.to_string(), &[room("a", 7)]).await.expect("asked")) });
    }
    let given: Vec<_> = tasks.join_all().await.into_iter().filter(|(_, taken)| taken.is_ok()).collect();
    assert_eq!((given.len(), stores.slots.taken("a").await.expect("read")), (7, 7));
    let own = given[0].0.to_string();
    assert_eq!(stores.slots.take(&own, &[room("a", 7)]).await.expect("asked"), Ok(()), "it has one");
    stores.slots.release(&[held("a", &own), held("a", "nobody"), held("none", "x")]).await.expect("given back");
    assert_eq!(stores.slots.taken("a").await.expect("read"), 6);
    assert_eq!(stores.slots.take("late", &[room("a", 7)]).await.expect("asked"), Ok(()));
    assert_eq!(stores.slots.take("later", &[room("a", 7)]).await.expect("asked"), Err(0));
    stores.slots.release(&[]).await.expect("nothing to give back");
    stores.slots.renew(&[]).await.expect("nothing to renew");
}

pub(in crate::store) async fn a_full_room_leaves_the_others_alone(stores: Stores) {
    let (small, all) = ([room("s", 1), room("all", 3)], "all");
    assert_eq!(stores.slots.take("1", &small).await.expect("asked"), Ok(()));
    assert_eq!(stores.slots.take("2", &small).await.expect("asked"), Err(0));
    assert_eq!(stores.slots.taken(all).await.expect("read"), 1, "nothing was taken");
    for holder in ["3", "4"] {
        assert_eq!(stores.slots.take(holder, &[room(holder, 1), room(all, 3)]).await.expect("asked"), Ok(()));
    }
    assert_eq!(stores.slots.take("5", &[room("5", 1), room(all, 3)]).await.expect("asked"), Err(1));
    assert_eq!(stores.slots.taken("5").await.expect("read"), 0);
}

pub(in crate::store) async fn a_slot_that_is_not_renewed_is_free_again(stores: Stores) {
    for holder in ["dies", "lives"] {
        assert_eq!(stores.slots.take(holder, &[room("a", 2)]).await.expect("asked"), Ok(()));
    }
    let half = Duration::from_millis(SLOT_LEASE_MS / 2);
    for _ in 0..2 {
        sleep(half + Duration::from_millis(50)).await;
        // What the store has lost comes back by its renewal.
        stores.slots.renew(&[held("a", "lives"), held("b", "lost")]).await.expect("renewed");
    }
    assert_eq!(stores.slots.taken("a").await.expect("read"), 1);
    assert_eq!(stores.slots.take("next", &[room("a", 2)]).await.expect("asked"), Ok(()));
    assert_eq!(stores.slots.take("third", &[room("a", 2)]).await.expect("asked"), Err(0));
    assert_eq!(stores.slots.taken("b").await.expect("read"), 1);
}
