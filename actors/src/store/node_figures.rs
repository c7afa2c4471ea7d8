//! What a node counts, as it tells the others with each beat: from these any node draws the whole cluster.

use serde::{Deserialize, Serialize};

/// Durations of one kind, counted since the node began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Times {
    /// How many there were.
    pub count: u64,
    /// How many of them were at most as long as each bound of the kind, in the order of the bounds.
    pub buckets: Vec<u64>,
}

impl Times {
    /// What has come since an earlier look; nothing if that was another kind, or a node that counts anew.
    fn since(&self, earlier: &Self) -> Self {
        let of_one_kind = self.buckets.len() == earlier.buckets.len() && self.count >= earlier.count;
        if !of_one_kind {
            return Self::default();
        }
        let pairs = self.buckets.iter().zip(&earlier.buckets);
        Self {
            count: self.count - earlier.count,
            buckets: pairs.map(|(now, then)| now.saturating_sub(*then)).collect(),
        }
    }

    fn add(&mut self, more: &Self) {
        self.count += more.count;
        self.buckets.resize(self.buckets.len().max(more.buckets.len()), 0);
        self.buckets.iter_mut().zip(&more.buckets).for_each(|(sum, more)| *sum += more);
    }

    /// How long the given share of them took at most, estimated within the buckets that `bounds` limit, in the unit of the bounds. What
    /// is beyond the last bound counts as that one. Nothing if there were none.
    pub fn quantile(&self, share: f64, bounds: &[f64]) -> Option<f64> {
        if self.count == 0 || bounds.len() != self.buckets.len() {
            return None;
        }
        let rank = share * self.count as f64;
        let at = self.buckets.iter().position(|upto| *upto as f64 >= rank);
        let Some(at) = at else { return bounds.last().copied() };
        let (lower, below) = match at {
            0 => (0.0, 0),
            at => (bounds[at - 1], self.buckets[at - 1]),
        };
        let within = (self.buckets[at] - below).max(1) as f64;
        Some(lower + (bounds[at] - lower) * ((rank - below as f64) / within).clamp(0.0, 1.0))
    }
}

/// Makes the struct, and the arithmetic over all of its fields.
macro_rules! figures {
    (counts $($(#[doc = $count_doc:literal])+ $count:ident,)+; times $($(#[doc = $time_doc:literal])+ $time:ident,)+) => {
        /// The figures, all counted since the node began.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct NodeFigures {
            $($(#[doc = $count_doc])+ pub $count: u64,)+
            $($(#[doc = $time_doc])+ pub $time: Times,)+
            /// What the tokens cost, in the currency of `ai.prices`.
            pub cost: f64,
        }

        impl NodeFigures {
            /// What has come since an earlier look at the same node.
            #[must_use]
            pub fn since(&self, earlier: &Self) -> Self {
                Self {
                    $($count: self.$count.saturating_sub(earlier.$count),)+
                    $($time: self.$time.since(&earlier.$time),)+
                    cost: (self.cost - earlier.cost).max(0.0),
                }
            }

            /// Adds what another node has.
            pub fn add(&mut self, more: &Self) {
                $(self.$count += more.$count;)+
                $(self.$time.add(&more.$time);)+
                self.cost += more.cost;
            }
        }
    };
}

figures! {
    counts
        /// Events that were appended to logs.
        logged,
        /// Answers that ended well.
        complete,
        /// Answers that somebody stopped, or nobody waited for.
        cancelled,
        /// Answers that failed or broke off.
        failed,
        /// Questions that the cache answered.
        hits,
        /// Questions that shared the answer of an equal one under way.
        coalesced,
        /// Questions that a backend was asked for, though the cache was looked at.
        misses,
        /// Tokens that the backends were paid for.
        tokens,
        /// Tokens that cache and sharing saved.
        saved_tokens,
        /// Requests that a limit refused.
        refused,
    ;
    times
        /// From a question to the first piece of its answer; bounds: [`crate::metrics::FIRST`].
        first_piece,
        /// Appends to logs; bounds: [`crate::metrics::CALLS`].
        append,
        /// Calls to Redis; bounds: [`crate::metrics::CALLS`].
        redis,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(buckets: &[u64], count: u64) -> Times {
        Times { count, buckets: buckets.to_vec() }
    }

    #[test]
    fn what_came_between_two_looks_is_the_difference_and_nothing_when_a_node_began_anew() {
        let earlier = NodeFigures { tokens: 10, cost: 1.0, append: times(&[1, 2], 3), ..NodeFigures::default() };
        let later = NodeFigures { tokens: 25, cost: 1.5, append: times(&[4, 6], 8), ..NodeFigures::default() };
        let between = later.since(&earlier);
        assert_eq!((between.tokens, between.cost, between.append), (15, 0.5, times(&[3, 4], 5)));
        let anew = earlier.since(&later);
        assert_eq!((anew.tokens, anew.cost, anew.append.count), (0, 0.0, 0));
        assert_eq!(times(&[1, 2, 3], 9).since(&times(&[1, 2], 3)), Times::default(), "another kind of buckets");
    }

    #[test]
    fn a_share_is_found_within_its_bucket() {
        let bounds = [0.1, 1.0, 10.0];
        assert_eq!(times(&[0, 0, 0], 0).quantile(0.5, &bounds), None);
        assert_eq!(times(&[10, 10, 10], 10).quantile(0.5, &bounds), Some(0.05));
        assert_eq!(times(&[0, 10, 10], 10).quantile(1.0, &bounds), Some(1.0));
        assert_eq!(times(&[0, 0, 5], 10).quantile(0.99, &bounds), Some(10.0), "beyond the last bound");
        assert_eq!(times(&[1], 1).quantile(0.5, &bounds), None, "of another kind");
    }
}
