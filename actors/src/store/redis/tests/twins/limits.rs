//! Buckets, of which nothing comes back while a test runs: so a model without a clock says what they give.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sophie_kit::properties::cases;

use super::*;
use crate::protocol::Quota;
use crate::store::limits::{Bucket, Correction, Limit, Verdict};

const KEYS: usize = 3;
const HOUR_US: u64 = 3_600_000_000;
/// What passes while a case is played, in milliseconds.
const PASSES: u64 = 60_000;

#[derive(Debug, Clone)]
enum Act {
    /// Units are asked of the first so many buckets.
    Ask(usize, [u64; KEYS]),
    Settle(usize, i64),
    Look,
    Fill(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        5 => (1..=KEYS, prop::array::uniform3(0..6_u64)).prop_map(|(count, costs)| Act::Ask(count, costs)),
        3 => (0..KEYS, -12..12_i64).prop_map(|(key, units)| Act::Settle(key, units)),
        1 => Just(Act::Look),
        1 => (0..KEYS).prop_map(Act::Fill),
    ];
    prop::collection::vec(act, 1..30)
}

/// Whole units of a bucket; below zero is a debt.
struct Model {
    has: [i64; KEYS],
    burst: [u64; KEYS],
}

impl Model {
    fn most(&self, key: usize) -> i64 {
        self.burst[key] as i64
    }

    fn short(&self, key: usize, cost: u64) -> i64 {
        cost.min(self.burst[key]) as i64 - self.has[key]
    }

    fn settle(&mut self, key: usize, units: i64) {
        let deepest = if key == 0 { -self.most(key) } else { 0 };
        self.has[key] = (self.has[key] - units).clamp(deepest, self.most(key));
    }

    fn left(&self, key: usize) -> Quota {
        let reset_ms = (self.most(key) - self.has[key]) as u64 * (HOUR_US / 1_000);
        Quota { limit: self.burst[key], remaining: self.has[key].max(0) as u64, reset_ms }
    }
}

/// The same, but for the time that has passed.
fn is_alike(found: &Quota, expected: &Quota) -> bool {
    let late = expected.reset_ms.saturating_sub(PASSES)..=expected.reset_ms;
    (found.limit, found.remaining) == (expected.limit, expected.remaining) && late.contains(&found.reset_ms)
}

async fn play(stores: &Stores, burst: [u64; KEYS], acts: &[Act]) {
    let case = random_text(10);
    let bucket = |key: usize, cost: u64| {
        // The first one counts tokens, which may be owed.
        let limit = if key == 0 { Limit::UserTokens } else { Limit::UserMessages };
        Bucket { key: format!("{case}:{key}"), limit, interval_us: HOUR_US, burst: burst[key], cost }
    };
    let mut model = Model { has: burst.map(|burst| burst as i64), burst };
    for act in acts {
        match act {
            Act::Settle(key, units) => {
                let bucket = bucket(*key, 0);
                stores.limits.settle(&[Correction { bucket: &bucket, units: *units }]).await.expect("settled");
                model.settle(*key, *units);
            }
            Act::Fill(key) => {
                stores.limits.fill(&[bucket(*key, 0)]).await.expect("filled");
                model.has[*key] = model.most(*key);
            }
            Act::Look => {
                let all: Vec<_> = (0..KEYS).map(|key| bucket(key, 0)).collect();
                let found = stores.limits.look(&all).await.expect("seen");
                let alike = found.iter().enumerate().all(|(key, found)| is_alike(found, &model.left(key)));
                assert!(alike, "{found:?} for {:?} of {burst:?}", model.has);
            }
            Act::Ask(count, costs) => {
                let buckets: Vec<_> = (0..*count).map(|key| bucket(key, costs[key])).collect();
                let longest = (0..*count).map(|key| model.short(key, costs[key])).max().expect("some");
                let left = match stores.limits.admit(None, &buckets).await.expect("asked") {
                    Verdict::Admitted { left } => {
                        assert!(longest <= 0, "{longest} are missing");
                        for key in 0..*count {
                            model.has[key] -= costs[key].min(burst[key]) as i64;
                        }
                        left
                    }
                    Verdict::Refused { bucket, retry_after_ms, left } => {
                        assert!(longest > 0 && model.short(bucket, costs[bucket]) == longest, "all are there");
                        let wait = longest as u64 * (HOUR_US / 1_000);
                        assert!((wait.saturating_sub(PASSES)..=wait).contains(&retry_after_ms), "{retry_after_ms}");
                        left
                    }
                    full => panic!("no slot was asked for: {full:?}"),
                };
                let alike = left.iter().enumerate().all(|(key, left)| is_alike(left, &model.left(key)));
                assert!(alike, "{left:?} for {:?} of {burst:?}", model.has);
            }
        }
    }
}

#[test]
fn both_twins_count_as_the_model_does() {
    let twins = Twins::start();
    let kinds = prop::array::uniform3(1..8_u64);
    let played = TestRunner::new(cases("twins_limits", 48)).run(&(kinds, acts()), |(burst, acts)| {
        for stores in &twins.stores {
            twins.runtime.block_on(play(stores, burst, &acts));
        }
        Ok(())
    });
    played.unwrap_or_else(|fault| panic!("{fault}"));
}
