//! The algorithm beside a bucket as everybody imagines one: it holds units, gets one more from time to time, and gives what it has.

use proptest::prelude::*;
use sophie_kit::properties::cases;

use super::gcra::{admit, settle};
use super::{Bucket, Limit, Unit, Verdict};

const KEYS: usize = 3;
const NOW: u64 = 1_800_000_000_000_000;

/// What can be done with buckets.
#[derive(Debug, Clone)]
enum Act {
    /// Time passes, in the microseconds of the case.
    Pass(u64),
    /// Units are asked of the first so many buckets, at once.
    Ask(usize, [u64; KEYS]),
    /// Units are taken from a bucket afterwards, or given back.
    Settle(usize, i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => (0..30_u64).prop_map(Act::Pass),
        5 => (1..=KEYS, prop::array::uniform3(0..12_u64)).prop_map(|(count, costs)| Act::Ask(count, costs)),
        2 => (0..KEYS, -30..30_i64).prop_map(|(key, units)| Act::Settle(key, units)),
    ];
    prop::collection::vec(act, 1..80)
}

fn kinds() -> impl Strategy<Value = [(u64, u64, bool); KEYS]> {
    prop::array::uniform3((1..6_u64, 1..12_u64, any::<bool>()))
}

/// Time is its money: a unit costs as many microseconds as it takes to come back.
struct Naive {
    has: i128,
    most: i128,
    deepest: i128,
    unit: i128,
}

impl Naive {
    fn of(bucket: &Bucket) -> Self {
        let most = i128::from(bucket.interval_us) * i128::from(bucket.burst);
        // Tokens are taken beyond what is there, by as much again at most.
        let deepest = if bucket.limit.unit() == Unit::Tokens { -most } else { 0 };
        Self { has: most, most, deepest, unit: i128::from(bucket.interval_us) }
    }

    fn pass(&mut self, time: u64) {
        self.has = (self.has + i128::from(time)).min(self.most);
    }

    fn cost(&self, units: u64) -> i128 {
        (i128::from(units) * self.unit).min(self.most)
    }

    fn settle(&mut self, units: i64) {
        self.has = (self.has - i128::from(units) * self.unit).clamp(self.deepest, self.most);
    }

    fn left(&self) -> (u64, u64) {
        let (units, missing) = (self.has.max(0) / self.unit, self.most - self.has);
        (u64::try_from(units).expect("few"), u64::try_from((missing + 999) / 1_000).expect("little"))
    }
}

proptest! {
    #![proptest_config(cases("gcra", 512))]

    #[test]
    fn a_bucket_gives_what_an_imagined_one_gives(
        kinds in kinds(),
        acts in acts(),
        // So few microseconds that a single one counts, or as many as in real life.
        scale in prop::sample::select(vec![1, 999, 1_000_003_u64]),
    ) {
        let bucket = |key: usize, cost: u64| {
            let (units, burst, tokens) = kinds[key];
            let interval_us = units * scale;
            let limit = if tokens { Limit::UserTokens } else { Limit::UserMessages };
            Bucket { key: key.to_string(), limit, interval_us, burst, cost }
        };
        let mut naive: Vec<Naive> = (0..KEYS).map(|key| Naive::of(&bucket(key, 0))).collect();
        let (mut now, mut stored) = (NOW, [None; KEYS]);
        for act in acts {
            match act {
                Act::Pass(time) => {
                    now += time * scale;
                    naive.iter_mut().for_each(|bucket| bucket.pass(time * scale));
                }
                Act::Settle(key, units) => {
                    stored[key] = Some(settle(now, &bucket(key, 0), stored[key], units));
                    naive[key].settle(units);
                }
                Act::Ask(count, costs) => {
                    let buckets: Vec<_> = (0..count).map(|key| bucket(key, costs[key])).collect();
                    let (verdict, tats) = admit(now, &buckets, &stored[..count]);
                    let short = |key: usize| naive[key].cost(costs[key]) - naive[key].has;
                    let longest = (0..count).map(short).max().expect("some");
                    let left = match verdict {
                        Verdict::Admitted { left } => {
                            prop_assert!(longest <= 0, "{longest} µs are missing");
                            for (key, cost) in costs.iter().enumerate().take(count) {
                                naive[key].has -= naive[key].cost(*cost);
                            }
                            left
                        }
                        Verdict::Refused { bucket, retry_after_ms, left } => {
                            prop_assert!(longest > 0, "all are there");
                            prop_assert_eq!(short(bucket), longest);
                            prop_assert_eq!(i128::from(retry_after_ms), (longest + 999) / 1_000);
                            left
                        }
                        Verdict::Full { .. } => unreachable!("no slot was asked for"),
                    };
                    for (key, left) in left.iter().enumerate() {
                        prop_assert_eq!((left.remaining, left.reset_ms), naive[key].left());
                    }
                    tats.into_iter().enumerate().for_each(|(key, tat)| stored[key] = Some(tat));
                }
            }
        }
    }
}
