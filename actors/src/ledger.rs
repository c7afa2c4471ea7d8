//! The ledger: what answers cost, what cache and coalescing saved, and what was spent on answers that nobody waited for. By
//! model, user and group; in figures at once, in the store once a second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ids::{GroupName, cut};
use crate::metrics::Metrics;
use crate::protocol::{Usage, timestamp};
use crate::store::{By, StoreError, Stores, Totals, UsageRecords, UsageRow};

/// Bytes of the longest name that is counted by itself; longer ones, which callers may choose, are cut.
const LONGEST_NAME: usize = 256;
/// Names that may wait for the store; those beyond are counted in the figures alone.
const WAITING: usize = 50_000;

const NANOS_PER_MILLIONTH: f64 = 1e3;

/// What a model's tokens cost, in the currency of the settings.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Price {
    /// For a million tokens that it reads.
    pub prompt_per_million: f64,
    /// For a million tokens that it writes.
    pub completion_per_million: f64,
}

impl Price {
    /// What they cost, in billionths of the currency.
    pub fn nanos(self, usage: Usage) -> u64 {
        let nanos = (usage.prompt_tokens as f64 * self.prompt_per_million
            + usage.completion_tokens as f64 * self.completion_per_million)
            * NANOS_PER_MILLIONTH;
        // A negative or endless price is none; `as` cuts the rest to the range.
        nanos.round() as u64
    }
}

/// The price of a model; none where the settings name none.
pub type Prices = Arc<dyn Fn(&str) -> Option<Price> + Send + Sync>;

/// Who asked for an answer, and for which group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// A user, or an application as `key:NAME`.
    pub user: String,
    /// The group that gets it; applications ask for themselves.
    pub group: Option<GroupName>,
}

/// How an answer came about, as far as money goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// The backend wrote it for this asker.
    Spent,
    /// The backend wrote it, or a part, and in the end nobody waited.
    Cancelled,
    /// The cache had it.
    Hit,
    /// It was written for somebody else at the same time.
    Coalesced,
}

impl Account {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Spent => "spent",
            Self::Cancelled => "cancelled",
            Self::Hit | Self::Coalesced => "saved",
        }
    }
}

/// The ledger of one node.
pub struct Ledger {
    prices: Prices,
    records: Arc<dyn UsageRecords>,
    metrics: Metrics,
    state: Mutex<State>,
    flushing: tokio::sync::Mutex<Flushing>,
}

/// What is being written: the same rows under the same number until the store has confirmed them.
#[derive(Default)]
struct Flushing {
    number: u64,
    day: String,
    rows: Vec<UsageRow>,
}

#[derive(Default)]
struct State {
    waiting: HashMap<(By, String), Totals>,
}

impl Ledger {
    /// An empty ledger.
    pub fn new(prices: Prices, stores: &Stores, metrics: Metrics) -> Self {
        Self { prices, records: stores.usage.clone(), metrics, state: Mutex::default(), flushing: Default::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Sums are added in one step each; a panic elsewhere leaves them right.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes one answer of `model` for an asker.
    pub fn note(&self, asker: &Asker, model: &str, usage: Usage, account: Account) {
        let model = cut(model, LONGEST_NAME);
        let nanos = (self.prices)(model).unwrap_or_default().nanos(usage);
        let mut totals = Totals { answers: 1, ..Totals::default() };
        match account {
            Account::Spent | Account::Cancelled => {
                totals.prompt_tokens = usage.prompt_tokens;
                totals.completion_tokens = usage.completion_tokens;
                totals.cost_nanos = nanos;
                if account == Account::Cancelled {
                    totals.cancelled_tokens = usage.total_tokens;
                }
            }
            Account::Hit | Account::Coalesced => {
                totals.hits = u64::from(account == Account::Hit);
                totals.coalesced = u64::from(account == Account::Coalesced);
                totals.saved_tokens = usage.total_tokens;
                totals.saved_nanos = nanos;
            }
        }
        let mut state = self.state();
        let label = self.metrics.model_label(model);
        self.metrics.tokens.with_label_values(&[account.as_str(), label]).inc_by(usage.total_tokens);
        let cost = if account.as_str() == "saved" { &self.metrics.cost_saved } else { &self.metrics.cost };
        cost.with_label_values(&[label]).inc_by(nanos as f64 / 1e9);
        state.add(By::Model, model, &totals);
        state.add(By::User, &asker.user, &totals);
        if let Some(group) = &asker.group {
            state.add(By::Group, group.as_str(), &totals);
        }
    }

    /// Writes what waits into the store; what the store did not confirm is written again, and counted once.
    pub async fn flush(&self) {
        let mut flushing = self.flushing.lock().await;
        loop {
            if flushing.rows.is_empty() {
                let waiting = std::mem::take(&mut self.state().waiting);
                if waiting.is_empty() {
                    return;
                }
                let now = timestamp();
                flushing.number += 1;
                flushing.day = now.split_once('T').map_or(now.clone(), |(day, _)| day.to_owned());
                flushing.rows = waiting.into_iter().map(|((by, name), totals)| (by, name, totals)).collect();
            }
            match self.records.add(flushing.number, &flushing.day, &flushing.rows).await {
                Ok(()) => flushing.rows.clear(),
                Err(error) => {
                    self.metrics.store_failed("usage");
                    if matches!(error, StoreError::Corrupt(_)) {
                        // It would fail for ever, and all that comes after it would wait.
                        log::warn!(
                            event = "usage_not_written", rows = flushing.rows.len(), error:%;
                            "what answers cost is not written, it is left out"
                        );
                        flushing.rows.clear();
                    } else {
                        log::debug!(rows = flushing.rows.len(), error:%; "what answers cost is not written yet");
                    }
                    return;
                }
            }
        }
    }
}

impl State {
    fn add(&mut self, by: By, name: &str, totals: &Totals) {
        let key = (by, cut(name, LONGEST_NAME).to_owned());
        if self.waiting.len() < WAITING || self.waiting.contains_key(&key) {
            self.waiting.entry(key).or_default().add(totals);
        }
    }
}

#[cfg(test)]
mod tests;
