//! Slots: leases of a bounded number.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::*;
use crate::store::limits::Verdict;

fn room(name: &str, slots: usize) -> Room {
    Room { name: name.into(), slots }
}

async fn take(stores: &Stores, holder: &str, rooms: &[Room]) -> Result<(), usize> {
    let slot = SlotRequest { holder: holder.into(), rooms: rooms.to_vec() };
    match stores.limits.admit(Some(&slot), &[]).await.expect("asked") {
        Verdict::Admitted { .. } => Ok(()),
        Verdict::Full { room } => Err(room),
        refused => panic!("{refused:?}"),
    }
}

fn held(room: &str, holder: &str) -> Held {
    Held { room: room.into(), holder: holder.into() }
}

pub(in crate::store) async fn exactly_as_many_slots_are_given_as_there_are(stores: Stores) {
    let mut tasks = JoinSet::new();
    for n in 0..100 {
        let stores = stores.clone();
        tasks.spawn(async move { (n, take(&stores, &n.to_string(), &[room("a", 7)]).await) });
    }
    let given: Vec<_> = tasks.join_all().await.into_iter().filter(|(_, taken)| taken.is_ok()).collect();
    assert_eq!((given.len(), stores.slots.taken("a").await.expect("read")), (7, 7));
    let own = given[0].0.to_string();
    assert_eq!(take(&stores, &own, &[room("a", 7)]).await, Ok(()), "it has one");
    stores.slots.release(&[held("a", &own), held("a", "nobody"), held("none", "x")]).await.expect("given back");
    assert_eq!(stores.slots.taken("a").await.expect("read"), 6);
    assert_eq!(take(&stores, "late", &[room("a", 7)]).await, Ok(()));
    assert_eq!(take(&stores, "later", &[room("a", 7)]).await, Err(0));
    stores.slots.release(&[]).await.expect("nothing to give back");
    stores.slots.renew(&[]).await.expect("nothing to renew");
}

pub(in crate::store) async fn a_full_room_leaves_the_others_alone(stores: Stores) {
    let (small, all) = ([room("s", 1), room("all", 3)], "all");
    assert_eq!(take(&stores, "1", &small).await, Ok(()));
    assert_eq!(take(&stores, "2", &small).await, Err(0));
    assert_eq!(stores.slots.taken(all).await.expect("read"), 1, "nothing was taken");
    for holder in ["3", "4"] {
        assert_eq!(take(&stores, holder, &[room(holder, 1), room(all, 3)]).await, Ok(()));
    }
    assert_eq!(take(&stores, "5", &[room("5", 1), room(all, 3)]).await, Err(1));
    assert_eq!(stores.slots.taken("5").await.expect("read"), 0);
}

pub(in crate::store) async fn a_slot_that_is_not_renewed_is_free_again(stores: Stores) {
    for holder in ["dies", "lives"] {
        assert_eq!(take(&stores, holder, &[room("a", 2)]).await, Ok(()));
    }
    let half = Duration::from_millis(SLOT_LEASE_MS / 2);
    for _ in 0..2 {
        sleep(half + Duration::from_millis(50)).await;
        // What the store has lost comes back by its renewal.
        stores.slots.renew(&[held("a", "lives"), held("b", "lost")]).await.expect("renewed");
    }
    assert_eq!(stores.slots.taken("a").await.expect("read"), 1);
    assert_eq!(take(&stores, "next", &[room("a", 2)]).await, Ok(()));
    assert_eq!(take(&stores, "third", &[room("a", 2)]).await, Err(0));
    assert_eq!(stores.slots.taken("b").await.expect("read"), 1);
}
