//! The generic cell rate algorithm, pure: time is an argument, all of it in whole microseconds. Each bucket is one
//! number, the theoretical arrival time (TAT): the moment at which it will be full again. `store/redis/scripts/admit.lua`
//! says the same in Lua; every number stays under 2^53, so that its doubles are exact.

use super::{Bucket, Quota, Unit, Verdict};

/// The longest time that a bucket's units, or a correction, may stand for: 2^50 µs, about 35 years. With the Unix time
/// in microseconds (2^51) added, and a debt of the same size, it stays below 2^53.
const LONGEST_US: u64 = 1 << 50;

/// Those who are refused and told to come back one after another are spread over this time at most: clients do not wait for
/// longer than a minute because a server says so.
const LONGEST_LINE_US: u64 = 60_000_000;

/// A bucket in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// For one unit to come back.
    pub interval: u64,
    /// What the request takes.
    pub cost: u64,
    /// From empty to full.
    pub span: u64,
    /// How far beyond now its TAT may stand. Only tokens are taken beyond what is there, since what an answer used is known
    /// when it has ended; that debt is one span at most. A TAT that stands further ahead was written before a clock went
    /// back, or under other settings: it counts as this.
    pub deepest: u64,
}

impl Terms {
    /// What a bucket says, made safe: a burst of 0 is 1, a cost over the burst is the burst.
    pub fn of(bucket: &Bucket) -> Self {
        let burst = bucket.burst.max(1);
        let interval = bucket.interval_us.min(LONGEST_US);
        let span = interval.saturating_mul(burst).min(LONGEST_US);
        let cost = interval.saturating_mul(bucket.cost.min(burst)).min(span);
        let deepest = if bucket.limit.unit() == Unit::Tokens { (2 * span).min(LONGEST_US) } else { span };
        Self { interval, cost, span, deepest }
    }

    /// A stored TAT as it counts.
    fn counted(&self, now: u64, stored: Option<u64>) -> u64 {
        stored.unwrap_or(now).clamp(now, now + self.deepest)
    }
}

/// What is left in a bucket whose TAT is given.
pub fn quota(now: u64, bucket: &Bucket, tat: u64) -> Quota {
    let terms = Terms::of(bucket);
    let (limit, taken) = (bucket.burst.max(1), terms.counted(now, Some(tat)) - now);
    // An interval of 0 stands for a bucket that never empties.
    let remaining = terms.span.saturating_sub(taken).checked_div(terms.interval).unwrap_or(limit);
    Quota { limit, remaining, reset_ms: taken.div_ceil(1_000) }
}

/// Decides over buckets whose TATs are given (`None`: full), and gives the TATs that are to be kept: the new ones when they
/// admit, else those that were given as far as they count, so that one that stood too far ahead does not do so for ever. Two
/// buckets of one key count as one after the other.
pub fn admit(now: u64, buckets: &[Bucket], stored: &[Option<u64>]) -> (Verdict, Vec<u64>) {
    let mut tats: Vec<u64> = Vec::with_capacity(buckets.len());
    let mut refused: Option<(usize, u64)> = None;
    let stored = |index: usize| Terms::of(&buckets[index]).counted(now, stored.get(index).copied().flatten());
    for (index, bucket) in buckets.iter().enumerate() {
        let terms = Terms::of(bucket);
        let twin = buckets[..index].iter().rposition(|earlier| earlier.key == bucket.key).map(|at| tats[at]);
        let after = twin.unwrap_or_else(|| stored(index)) + terms.cost;
        let taken = after - now;
        if taken > terms.span {
            let wait = taken - terms.span;
            if refused.is_none_or(|(_, longest)| wait > longest) {
                refused = Some((index, wait));
            }
        }
        tats.push(after);
    }
    match refused {
        Some((bucket, wait)) => {
            let left = buckets.iter().enumerate().map(|(index, bucket)| quota(now, bucket, stored(index))).collect();
            (
                Verdict::Refused { bucket, retry_after_ms: wait.div_ceil(1000).max(1), left },
                (0..buckets.len()).map(stored).collect(),
            )
        }
        None => {
            let left = buckets.iter().zip(&tats).map(|(bucket, tat)| quota(now, bucket, *tat)).collect();
            (Verdict::Admitted { left }, tats)
        }
    }
}

/// The TAT after a correction: later by what is taken in addition, earlier (but not before now) by what is given back.
pub fn settle(now: u64, bucket: &Bucket, stored: Option<u64>, units: i64) -> u64 {
    let terms = Terms::of(bucket);
    let (before, shift) = (terms.counted(now, stored), shift_us(bucket, units));
    if units >= 0 { (before + shift).min(now + terms.deepest) } else { before.saturating_sub(shift).max(now) }
}

/// When somebody who was refused is to come back, in microseconds from now, and where the line of such ends with them: behind
/// those who were told before, each of whom takes what this one does. `wait` is how long the first one has to wait. A line
/// that is as long as it may be begins anew.
pub fn line(now: u64, bucket: &Bucket, wait: u64, last: Option<u64>) -> (u64, u64) {
    let first = now + wait;
    let place = first.max(last.unwrap_or(0).saturating_add(Terms::of(bucket).cost));
    let place = if place > first + LONGEST_LINE_US { first } else { place };
    (place - now, place)
}

/// The microseconds that `units` stand for, without their sign.
pub fn shift_us(bucket: &Bucket, units: i64) -> u64 {
    bucket.interval_us.saturating_mul(units.unsigned_abs()).min(LONGEST_US)
}

/// See [`line`]; for its twin in Lua.
pub const fn longest_line_us() -> u64 {
    LONGEST_LINE_US
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::limits::Limit;

    const NOW: u64 = 1_760_000_000_000_000;

    fn bucket(interval_us: u64, burst: u64, cost: u64) -> Bucket {
        Bucket { key: "k".into(), limit: Limit::UserMessages, interval_us, burst, cost }
    }

    fn remaining(verdict: &Verdict) -> Vec<u64> {
        let (Verdict::Admitted { left } | Verdict::Refused { left, .. }) = verdict else {
            unreachable!("no slot was asked for")
        };
        left.iter().map(|quota| quota.remaining).collect()
    }

    fn refused(verdict: &Verdict) -> Option<(usize, u64)> {
        match verdict {
            Verdict::Admitted { .. } | Verdict::Full { .. } => None,
            Verdict::Refused { bucket, retry_after_ms, .. } => Some((*bucket, *retry_after_ms)),
        }
    }

    #[test]
    fn a_full_bucket_gives_its_burst_and_then_one_unit_an_interval() {
        let one = [bucket(3_000_000, 5, 1)];
        let mut tat = None;
        for left in (0..5).rev() {
            let (verdict, tats) = admit(NOW, &one, &[tat]);
            let reset_ms = 3_000 * (5 - left);
            assert_eq!(verdict, Verdict::Admitted { left: vec![Quota { limit: 5, remaining: left, reset_ms }] });
            tat = Some(tats[0]);
        }
        let (verdict, tats) = admit(NOW, &one, &[tat]);
        assert_eq!(refused(&verdict), Some((0, 3_000)));
        assert_eq!(remaining(&verdict), [0]);
        assert_eq!(tats, [NOW + 15_000_000], "as it was");
        let (verdict, _) = admit(NOW + 2_999_999, &one, &[tat]);
        assert_eq!(refused(&verdict), Some((0, 1)));
        let (verdict, _) = admit(NOW + 3_000_000, &one, &[tat]);
        assert_eq!((refused(&verdict), remaining(&verdict)), (None, vec![0]));
    }

    #[test]
    fn the_longest_wait_is_the_one_that_is_told() {
        let mut buckets = [bucket(1_000_000, 1, 1), bucket(9_000_000, 1, 1), bucket(2_000_000, 1, 1)];
        for (at, key) in ["a", "b", "c"].iter().enumerate() {
            buckets[at].key = (*key).into();
        }
        let full = [Some(NOW + 1_000_000), Some(NOW + 9_000_000), Some(NOW + 2_000_000)];
        assert_eq!(refused(&admit(NOW, &buckets, &full).0), Some((1, 9_000)));
    }

    #[test]
    fn a_key_that_is_asked_twice_gives_twice() {
        let twice = [bucket(1_000_000, 3, 2), bucket(1_000_000, 3, 1)];
        let (verdict, tats) = admit(NOW, &twice, &[None, None]);
        assert_eq!((refused(&verdict), remaining(&verdict)), (None, vec![1, 0]));
        assert_eq!(tats[1], NOW + 3_000_000);
        let too_much = [bucket(1_000_000, 3, 2), bucket(1_000_000, 3, 2)];
        let (verdict, _) = admit(NOW, &too_much, &[None, None]);
        assert!(matches!(verdict, Verdict::Refused { bucket: 1, .. }));
        assert_eq!(remaining(&verdict), [3, 3], "what is told of a refusal is what is there");
    }

    #[test]
    fn a_correction_never_overfills_and_may_leave_a_debt() {
        let tokens = Bucket { limit: Limit::UserTokens, ..bucket(36_000, 100_000, 0) };
        assert_eq!(settle(NOW, &tokens, Some(NOW + 36_000), -50), NOW);
        assert_eq!(settle(NOW, &tokens, None, -50), NOW);
        assert_eq!(settle(NOW, &tokens, None, 150_000), NOW + 5_400_000_000);
        // Whatever a backend says that it used.
        assert_eq!(settle(NOW, &tokens, None, i64::MAX), NOW + 7_200_000_000);
    }

    #[test]
    fn a_bucket_that_stands_further_ahead_than_it_is_long_is_empty_and_no_more() {
        let (messages, tokens) =
            (bucket(3_000_000, 5, 1), Bucket { limit: Limit::UserTokens, ..bucket(3_000_000, 5, 1) });
        let ahead = Some(NOW + 900_000_000);
        assert_eq!(refused(&admit(NOW, std::slice::from_ref(&messages), &[ahead]).0), Some((0, 3_000)));
        assert_eq!(quota(NOW, &messages, NOW + 900_000_000).reset_ms, 15_000);
        assert_eq!(refused(&admit(NOW, &[tokens], &[ahead]).0), Some((0, 18_000)), "a debt is one span at most");
        assert_eq!(settle(NOW, &messages, ahead, -1), NOW + 12_000_000);
    }

    #[test]
    fn each_who_is_refused_comes_back_behind_those_before_and_the_line_has_an_end() {
        let key = bucket(20_000_000, 2, 1);
        let (mut last, mut told) = (None, Vec::new());
        for _ in 0..6 {
            let (wait, place) = line(NOW, &key, 5_000_000, last);
            last = Some(place);
            told.push(wait / 1_000_000);
        }
        assert_eq!(told, [5, 25, 45, 65, 5, 25]);
        assert_eq!(line(NOW + 100_000_000, &key, 7_000_000, last).0, 7_000_000, "what is past does not count");
    }

    #[test]
    fn senseless_numbers_do_no_harm() {
        for (interval, burst, cost) in [(0, 0, 0), (0, 5, 1), (u64::MAX, u64::MAX, u64::MAX), (1, 0, 7)] {
            let one = [bucket(interval, burst, cost)];
            let (verdict, _) = admit(NOW, &one, &[None]);
            assert!(matches!(verdict, Verdict::Admitted { .. }), "{one:?}");
            let tat = settle(NOW, &one[0], None, i64::MAX);
            assert!(settle(NOW, &one[0], Some(tat), i64::MAX) < 1 << 53);
            assert_eq!(settle(NOW, &one[0], Some(NOW), i64::MIN), NOW);
        }
    }
}
