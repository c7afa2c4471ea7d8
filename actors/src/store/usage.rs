//! What answers cost and what was saved, by day, for the whole cluster.

use async_trait::async_trait;
use serde::Serialize;

use super::StoreResult;

/// By what it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// The model that was asked.
    Model,
    /// Who asked: a user, or an application as `key:NAME`.
    User,
    /// The group that got the answer.
    Group,
}

impl By {
    /// Every way of counting.
    pub const ALL: [Self; 3] = [Self::Model, Self::User, Self::Group];

    /// As operators write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::User => "user",
            Self::Group => "group",
        }
    }
}

macro_rules! totals {
    ($($(#[$doc:meta])* $field:ident),* $(,)?) => {
        /// Sums of a day.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
        pub struct Totals {
            $($(#[$doc])* pub $field: u64,)*
        }

        impl Totals {
            /// The names of the sums.
            pub const FIELDS: &'static [&'static str] = &[$(stringify!($field)),*];

            /// The sums in the order of their names.
            pub fn values(&self) -> [u64; Self::FIELDS.len()] {
                [$(self.$field),*]
            }

            /// Back from [`Self::values`]; what is missing is 0.
            pub fn of(values: &[u64]) -> Self {
                let mut values = values.iter().copied();
                Self { $($field: values.next().unwrap_or(0)),* }
            }
        }
    };
}

totals! {
    /// Answers that were asked for.
    answers,
    /// Of these, from the cache.
    hits,
    /// Of these, shared with an equal question under way.
    coalesced,
    /// Tokens that the backend read.
    prompt_tokens,
    /// Tokens that the backend wrote.
    completion_tokens,
    /// Of the tokens that the backend read and wrote, those of answers that nobody waited for.
    cancelled_tokens,
    /// Tokens that cache and coalescing saved.
    saved_tokens,
    /// What the backend's tokens cost, in billionths of the currency.
    cost_nanos,
    /// What the saved tokens would have cost.
    saved_nanos,
}

impl Totals {
    /// Adds another sum.
    pub fn add(&mut self, other: &Self) {
        let (one, other) = (self.values(), other.values());
        *self =
            Self::of(&std::array::from_fn::<u64, { Self::FIELDS.len() }, _>(|at| one[at].saturating_add(other[at])));
    }

    /// By this they are ranked: tokens that the backend read and wrote.
    pub fn rank(&self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }
}

/// One line of what is added.
pub type UsageRow = (By, String, Totals);

/// The sums. Of each day and way of counting the [`MOST`] names with the most tokens are kept.
#[async_trait]
pub trait UsageRecords: Send + Sync {
    /// Adds to a day (`YYYY-MM-DD`, UTC). `flush` counts up, one for each set of rows, from 1: after an error the same rows are to
    /// be given again under the same number, and are not added twice.
    async fn add(&self, flush: u64, day: &str, rows: &[UsageRow]) -> StoreResult<()>;
    /// The names with the most tokens of a day, at most `limit` of them.
    async fn top(&self, day: &str, by: By, limit: usize) -> StoreResult<Vec<(String, Totals)>>;
}

/// Names that are kept for a day.
pub const MOST: usize = 10_000;
/// How long a day is kept, in seconds: five weeks, so that a month can be looked back at.
pub const KEPT_SECONDS: u64 = 35 * 86_400;
