//! What is left of a limit, as clients are told.

use serde::Serialize;

/// What is left of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quota {
    /// Units that may be taken at once, from full.
    pub limit: u64,
    /// Units that may be taken now.
    pub remaining: u64,
    /// When it is full again, in milliseconds from now.
    pub reset_ms: u64,
}

impl Quota {
    /// Whether the end is near: a fifth of the limit or less is left, or the last unit of a small one. One of two is half.
    pub fn is_near_its_end(&self) -> bool {
        self.remaining <= (self.limit / 5).max(u64::from(self.limit > 2))
    }

    /// Whether less of it is left, as a share of the limit, than of another.
    pub fn is_tighter_than(&self, other: &Self) -> bool {
        let share = |of: &Self, by: &Self| u128::from(of.remaining) * u128::from(by.limit);
        share(self, other) < share(other, self)
    }
}

/// The tightest limits that applied to a request, of each kind; none where none applied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Remaining {
    /// Of requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<Quota>,
    /// Of tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Quota>,
}

impl Remaining {
    /// Those that near their end, if any does.
    pub fn near_their_end(&self) -> Option<Self> {
        let near = |quota: Option<Quota>| quota.filter(Quota::is_near_its_end);
        let left = Self { requests: near(self.requests), tokens: near(self.tokens) };
        (left != Self::default()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(limit: u64, remaining: u64) -> Quota {
        Quota { limit, remaining, reset_ms: 1 }
    }

    #[test]
    fn only_what_nears_its_end_is_worth_a_word() {
        for (limit, remaining, near) in [
            (1, 1, false),
            (1, 0, true),
            (2, 1, false),
            (3, 1, true),
            (5, 2, false),
            (5, 1, true),
            (60, 13, false),
            (60, 12, true),
            (100_000, 20_001, false),
        ] {
            assert_eq!(quota(limit, remaining).is_near_its_end(), near, "{remaining} of {limit}");
        }
        let left = Remaining { requests: Some(quota(60, 50)), tokens: Some(quota(100, 3)) };
        assert_eq!(left.near_their_end(), Some(Remaining { requests: None, tokens: Some(quota(100, 3)) }));
        assert_eq!(Remaining { requests: Some(quota(60, 50)), tokens: None }.near_their_end(), None);
    }
}
