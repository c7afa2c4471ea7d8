//! What every keeper of limits must do: part of the stores' contract suite.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::protocol::Quota;
use crate::store::limits::{Bucket, Correction, Limit, Verdict};
use crate::store::{Room, SlotRequest, Stores};

const HOUR_MS: u64 = 3_600_000;

fn bucket(key: &str, burst: u64, cost: u64) -> Bucket {
    // One unit in an hour: nothing comes back while a test runs.
    Bucket { key: key.into(), limit: Limit::UserMessages, interval_us: HOUR_MS * 1_000, burst, cost }
}

async fn admit(stores: &Stores, buckets: &[Bucket]) -> Verdict {
    stores.limits.admit(None, buckets).await.expect("asked")
}

/// What is left after an admission.
async fn admitted(stores: &Stores, buckets: &[Bucket]) -> Vec<u64> {
    match admit(stores, buckets).await {
        Verdict::Admitted { left } => left.iter().map(|quota| quota.remaining).collect(),
        refused => panic!("{refused:?}"),
    }
}

async fn settle(stores: &Stores, bucket: &Bucket, units: i64) {
    stores.limits.settle(&[Correction { bucket, units }]).await.expect("settled");
}

pub(in crate::store) async fn exactly_the_burst_is_admitted_at_once(stores: Stores) {
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let stores = stores.clone();
        tasks.spawn(async move { admit(&stores, &[bucket("user:a", 37, 1)]).await });
    }
    let mut remaining: Vec<u64> = Vec::new();
    let mut refused = 0;
    for verdict in tasks.join_all().await {
        match verdict {
            Verdict::Admitted { left } => remaining.extend(left.iter().map(|quota| quota.remaining)),
            Verdict::Refused { bucket: 0, retry_after_ms, left } => {
                assert!((3_500_000..=HOUR_MS).contains(&retry_after_ms), "{retry_after_ms}");
                assert_eq!(left[0].remaining, 0);
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    remaining.sort_unstable();
    assert_eq!((remaining, refused), ((0..37).collect(), 63));
}

pub(in crate::store) async fn nothing_is_taken_when_one_bucket_refuses(stores: Stores) {
    let both = [bucket("user:a", 5, 1), bucket("address:b", 2, 1)];
    for left in [1, 0] {
        assert_eq!(admitted(&stores, &both).await, [3 + left, left]);
    }
    let verdict = admit(&stores, &both).await;
    assert!(matches!(verdict, Verdict::Refused { bucket: 1, .. }), "{verdict:?}");
    assert_eq!(admitted(&stores, &both[..1]).await, [2]);
    assert!(admitted(&stores, &[]).await.is_empty());
}

pub(in crate::store) async fn a_slot_and_the_buckets_are_taken_together_or_not_at_all(stores: Stores) {
    let request =
        |holder: &str| SlotRequest { holder: holder.into(), rooms: vec![Room { name: "s".into(), slots: 2 }] };
    let ask = async |holder: &str, cost| {
        let bucket = [bucket("user:a", 5, cost)];
        stores.limits.admit(Some(&request(holder)), &bucket).await.expect("asked")
    };
    let seen = async || {
        let quotas = stores.limits.look(&[bucket("user:a", 5, 0)]).await.expect("seen");
        (quotas[0].remaining, stores.slots.taken("s").await.expect("read"))
    };
    assert!(matches!(ask("1", 1).await, Verdict::Admitted { left } if left[0].remaining == 4));
    assert!(matches!(ask("2", 5).await, Verdict::Refused { bucket: 0, .. }));
    assert_eq!(seen().await, (4, 1), "the bucket refused, so no slot was taken");
    assert!(matches!(ask("2", 1).await, Verdict::Admitted { left } if left[0].remaining == 3));
    assert_eq!(ask("3", 1).await, Verdict::Full { room: 0 });
    assert_eq!(seen().await, (3, 2), "the room was full, so nothing was taken of the bucket");
}

pub(in crate::store) async fn what_is_given_back_can_be_taken_again(stores: Stores) {
    let tokens = bucket("user:a:tokens", 100, 100);
    assert_eq!(admitted(&stores, std::slice::from_ref(&tokens)).await, [0]);
    settle(&stores, &tokens, -60).await;
    let some = [Bucket { cost: 10, ..tokens.clone() }];
    // One less than 50 would be left only if the given units had been reckoned to the microsecond of an hour ago.
    assert_eq!(admitted(&stores, &some).await, [50]);
    settle(&stores, &tokens, -1_000_000).await;
    assert_eq!(admitted(&stores, &some).await, [90]);
}

pub(in crate::store) async fn a_debt_is_waited_for(stores: Stores) {
    let tokens = Bucket { interval_us: 500_000, limit: Limit::UserTokens, ..bucket("user:a:tokens", 10, 1) };
    let one = [tokens.clone()];
    assert_eq!(admitted(&stores, &one).await, [9]);
    settle(&stores, &tokens, 19).await;
    let Verdict::Refused { bucket: 0, retry_after_ms, left } = admit(&stores, &one).await else {
        panic!("ten units in debt");
    };
    // Whatever the machine paused until then comes off each of them.
    assert!((1..=5_500).contains(&retry_after_ms), "{retry_after_ms}");
    assert_eq!(left[0].remaining, 0);
    assert!((5_000..=10_000).contains(&left[0].reset_ms), "{left:?}");
    sleep(Duration::from_millis(retry_after_ms + 5)).await;
    assert!(admitted(&stores, &one).await[0] < 9, "the debt was forgotten");
}

pub(in crate::store) async fn a_refusal_and_a_look_tell_what_is_left_and_take_nothing(stores: Stores) {
    let (messages, tokens) = (bucket("user:a:messages", 4, 1), bucket("user:a:tokens", 10, 7));
    let both = [messages.clone(), tokens.clone()];
    let fresh = stores.limits.look(&both).await.expect("seen");
    let full = |limit| Quota { limit, remaining: limit, reset_ms: 0 };
    assert_eq!(fresh, [full(4), full(10)]);
    let Verdict::Admitted { left } = admit(&stores, &both).await else { panic!("both are full") };
    assert_eq!((left[0].limit, left[0].remaining, left[0].reset_ms), (4, 3, HOUR_MS));
    assert_eq!((left[1].limit, left[1].remaining, left[1].reset_ms), (10, 3, 7 * HOUR_MS));
    let Verdict::Refused { bucket: 1, retry_after_ms, left } = admit(&stores, &both).await else {
        panic!("three tokens are left, and seven wanted");
    };
    assert!(retry_after_ms > 3 * HOUR_MS && retry_after_ms <= 4 * HOUR_MS, "{retry_after_ms}");
    let seen = stores.limits.look(&both).await.expect("seen");
    for quotas in [left, seen] {
        assert_eq!((quotas[0].limit, quotas[0].remaining), (4, 3));
        assert_eq!((quotas[1].limit, quotas[1].remaining), (10, 3));
        assert!((6 * HOUR_MS..=7 * HOUR_MS).contains(&quotas[1].reset_ms), "{quotas:?}");
    }
    assert_eq!(stores.limits.look(&[]).await.expect("seen"), []);
    let endless = Bucket { interval_us: 0, ..bucket("endless", 3, 1) };
    assert_eq!(admitted(&stores, &[endless]).await, [3]);
}

pub(in crate::store) async fn many_are_corrected_and_filled_at_once(stores: Stores) {
    let all = [bucket("a", 10, 10), bucket("b", 10, 4), bucket("c", 10, 1)];
    assert_eq!(admitted(&stores, &all).await, [0, 6, 9]);
    let corrections = [-3, 2, 20].iter().zip(&all).map(|(units, bucket)| Correction { bucket, units: *units });
    stores.limits.settle(&corrections.collect::<Vec<_>>()).await.expect("settled");
    let remaining = async || -> Vec<u64> {
        stores.limits.look(&all).await.expect("seen").iter().map(|quota| quota.remaining).collect()
    };
    assert_eq!(remaining().await, [3, 4, 0]);
    stores.limits.settle(&[]).await.expect("nothing to settle");
    stores.limits.fill(&all[1..]).await.expect("filled");
    assert_eq!(remaining().await, [3, 10, 10]);
    stores.limits.fill(&[]).await.expect("nothing to fill");
}

pub(in crate::store) async fn a_bucket_further_ahead_than_its_span_is_clamped(stores: Stores) {
    let long = bucket("user:a:messages", 100, 100);
    assert_eq!(admitted(&stores, std::slice::from_ref(&long)).await, [0]);
    // As it would be after a clock went back, or under shorter settings.
    let short = [Bucket { burst: 5, cost: 1, ..long.clone() }];
    let seen = stores.limits.look(&short).await.expect("seen");
    assert!(seen[0].reset_ms <= 5 * HOUR_MS, "{seen:?}");
    let Verdict::Refused { retry_after_ms, .. } = admit(&stores, &short).await else { panic!("it is empty") };
    assert!((HOUR_MS - 60_000..=HOUR_MS).contains(&retry_after_ms), "{retry_after_ms}");
    settle(&stores, &short[0], -2).await;
    assert_eq!(admitted(&stores, &short).await, [1]);
    // A refusal takes note of it, so that it is not as far ahead again the next time.
    let quick = Bucket { interval_us: 200_000, ..bucket("user:b:messages", 300, 300) };
    assert_eq!(admitted(&stores, std::slice::from_ref(&quick)).await, [0]);
    let short = [Bucket { burst: 2, cost: 1, ..quick }];
    let Verdict::Refused { retry_after_ms, .. } = admit(&stores, &short).await else { panic!("it is empty") };
    assert!(retry_after_ms <= 200, "{retry_after_ms}");
    sleep(Duration::from_millis(retry_after_ms + 5)).await;
    assert!(matches!(admit(&stores, &short).await, Verdict::Admitted { .. }));
    // Nothing that is settled locks a bucket for longer than its span, and another one for tokens.
    let tokens = [Bucket { limit: Limit::KeyTokens, ..bucket("key:a:tokens", 4, 1) }];
    settle(&stores, &tokens[0], i64::MAX).await;
    let Verdict::Refused { retry_after_ms, .. } = admit(&stores, &tokens).await else { panic!("it is in debt") };
    assert!((4 * HOUR_MS..=5 * HOUR_MS).contains(&retry_after_ms), "{retry_after_ms}");
}

pub(in crate::store) async fn each_who_is_refused_by_what_many_share_is_told_a_time_of_its_own(stores: Stores) {
    let slow = |limit: Limit| Bucket { interval_us: 20_000_000, limit, ..bucket(limit.label(), 1, 1) };
    for (limit, expected) in [(Limit::KeyRequests, [20, 40, 60]), (Limit::UserMessages, [20, 20, 20])] {
        let one = [slow(limit)];
        assert_eq!(admitted(&stores, &one).await, [0]);
        for seconds in expected {
            let Verdict::Refused { retry_after_ms, .. } = admit(&stores, &one).await else { panic!("one was all") };
            assert!((seconds * 1_000 - 10_000..=seconds * 1_000 + 1).contains(&retry_after_ms), "{retry_after_ms}");
        }
    }
    let one = [slow(Limit::KeyRequests)];
    stores.limits.fill(&one).await.expect("filled");
    assert_eq!(admitted(&stores, &one).await, [0]);
    let Verdict::Refused { retry_after_ms, .. } = admit(&stores, &one).await else { panic!("one was all") };
    assert!(retry_after_ms <= 20_000, "nobody waits any more: {retry_after_ms}");
}
