//! Which of many limits is worth telling.

use super::{Quota, Remaining};
use crate::store::limits::{Bucket, Unit};

/// The tightest of each kind: of which the least share is left; among equals the one asked first.
pub(super) fn tightest(buckets: &[Bucket], quotas: &[Quota]) -> Remaining {
    let of = |unit: Unit| {
        let of_kind = buckets.iter().zip(quotas).filter(|(bucket, _)| bucket.limit.unit() == unit);
        of_kind.map(|(_, quota)| *quota).reduce(|best, next| if next.is_tighter_than(&best) { next } else { best })
    };
    Remaining { requests: of(Unit::Requests), tokens: of(Unit::Tokens) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::limits::Limit;

    fn quota(limit: u64, remaining: u64) -> Quota {
        Quota { limit, remaining, reset_ms: 1 }
    }

    fn bucket(limit: Limit) -> Bucket {
        Bucket { key: "k".into(), limit, interval_us: 1, burst: 1, cost: 1 }
    }

    #[test]
    fn the_tightest_of_each_kind_is_told() {
        use Limit::{AddressMessages, ServiceMessages, UserMessages, UserTokens};
        let buckets = [UserMessages, AddressMessages, ServiceMessages, UserTokens].map(bucket);
        let quotas = [quota(5, 4), quota(60, 30), quota(1_000, 500), quota(100, 0)];
        let left = tightest(&buckets, &quotas);
        assert_eq!((left.requests, left.tokens), (Some(quota(60, 30)), Some(quota(100, 0))));
        assert_eq!(tightest(&buckets[..1], &quotas).tokens, None);
    }
}
