//! The ledger: what answers cost, what cache and coalescing saved, and what was spent on answers that nobody waited for. By
//! model, user and group; in figures at once, in the store once a second.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ids::{GroupName, cut};
use crate::metrics::Metrics;
use crate::protocol::{Usage, timestamp};
use crate::store::{By, StoreError, Stores, Totals, UsageRecords, UsageRow};

/// Models with a label of their own in the figures; those beyond are `other`, since callers choose names.
const LABELS: usize = 64;
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
    fn nanos(self, usage: Usage) -> u64 {
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
    labels: BTreeSet<String>,
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
        let label = state.label(model);
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
                        log::warn!("usage not written, left out rows={} error={error}", flushing.rows.len());
                        flushing.rows.clear();
                    } else {
                        log::debug!("usage not written yet rows={} error={error}", flushing.rows.len());
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

    fn label<'a>(&mut self, model: &'a str) -> &'a str {
        if !self.labels.contains(model) {
            if self.labels.len() >= LABELS {
                return "other";
            }
            self.labels.insert(model.to_owned());
        }
        model
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::{self, MemoryOptions};

    const USAGE: Usage = Usage { prompt_tokens: 1_000, completion_tokens: 100, total_tokens: 1_100 };

    fn ledger() -> (Ledger, Stores) {
        let stores = memory::stores(MemoryOptions::of_a_day());
        let price = Price { prompt_per_million: 2.5, completion_per_million: 10.0 };
        let prices: Prices = Arc::new(move |model| (model == "dear").then_some(price));
        (Ledger::new(prices, &stores, Metrics::new()), stores)
    }

    fn alice(group: Option<&str>) -> Asker {
        Asker { user: "alice".into(), group: group.map(|name| GroupName::parse(name).expect("legal")) }
    }

    #[tokio::test]
    async fn spent_cancelled_and_saved_are_told_apart_and_priced() {
        let (ledger, stores) = ledger();
        ledger.note(&alice(Some("team")), "dear", USAGE, Account::Spent);
        ledger.note(&alice(Some("team")), "dear", USAGE, Account::Cancelled);
        ledger.note(&alice(None), "dear", USAGE, Account::Hit);
        ledger.note(&alice(None), "cheap", USAGE, Account::Coalesced);
        ledger.flush().await;
        let day = &timestamp()[..10];
        let read = async |by| stores.usage.top(day, by, 10).await.expect("read");
        let dear = Totals {
            answers: 3,
            hits: 1,
            prompt_tokens: 2_000,
            completion_tokens: 200,
            cancelled_tokens: 1_100,
            saved_tokens: 1_100,
            cost_nanos: 7_000_000,
            saved_nanos: 3_500_000,
            ..Totals::default()
        };
        let cheap = Totals { answers: 1, coalesced: 1, saved_tokens: 1_100, ..Totals::default() };
        assert_eq!(read(By::Model).await, [("dear".into(), dear), ("cheap".into(), cheap)]);
        let mut all = dear;
        all.add(&cheap);
        assert_eq!(read(By::User).await, [("alice".into(), all)]);
        assert_eq!(read(By::Group).await[0].1.answers, 2);
        let text = ledger.metrics.render();
        assert!(text.contains("sophie_tokens_total{kind=\"cancelled\",model=\"dear\"} 1100"), "{text}");
        assert!(text.contains("sophie_cost_total{model=\"dear\"} 0.007"), "{text}");
    }

    #[test]
    fn models_of_callers_own_invention_share_a_label() {
        let (ledger, _) = ledger();
        (0..LABELS + 5).for_each(|n| ledger.note(&alice(None), &format!("m{n}"), USAGE, Account::Spent));
        let text = ledger.metrics.render();
        assert!(text.contains("sophie_tokens_total{kind=\"spent\",model=\"other\"} 5500"), "{text}");
    }

    #[test]
    fn no_name_is_longer_than_it_may_be() {
        let (ledger, _) = ledger();
        ledger.note(&alice(None), &"ä".repeat(250_000), USAGE, Account::Spent);
        let text = ledger.metrics.render();
        assert!(text.len() < 20_000 && text.contains(&format!("model=\"{}\"", "ä".repeat(128))), "{}", text.len());
        assert!(ledger.state().waiting.keys().all(|(_, name)| name.len() <= LONGEST_NAME));
    }

    /// Carries out what it is given and is too late to say so, once.
    struct Late(Arc<dyn UsageRecords>, std::sync::atomic::AtomicBool);

    #[async_trait::async_trait]
    impl UsageRecords for Late {
        async fn add(&self, flush: u64, day: &str, rows: &[UsageRow]) -> crate::store::StoreResult<()> {
            self.0.add(flush, day, rows).await?;
            match self.1.swap(true, std::sync::atomic::Ordering::Relaxed) {
                true => Ok(()),
                false => Err(StoreError::Unavailable("too late".into())),
            }
        }

        async fn top(&self, day: &str, by: By, limit: usize) -> crate::store::StoreResult<Vec<(String, Totals)>> {
            self.0.top(day, by, limit).await
        }
    }

    #[tokio::test]
    async fn what_the_store_wrote_too_late_to_say_so_is_counted_once() {
        let (mut ledger, stores) = ledger();
        ledger.records = Arc::new(Late(stores.usage.clone(), Default::default()));
        ledger.note(&alice(None), "m", USAGE, Account::Spent);
        ledger.flush().await;
        ledger.note(&alice(None), "m", USAGE, Account::Spent);
        ledger.flush().await;
        let rows = stores.usage.top(&timestamp()[..10], By::Model, 10).await.expect("read");
        assert_eq!((rows.len(), rows[0].1.answers), (1, 2));
    }

    #[test]
    fn senseless_prices_do_no_harm() {
        for price in [-1.0, f64::NAN, f64::INFINITY] {
            let price = Price { prompt_per_million: price, completion_per_million: price };
            _ = price.nanos(USAGE);
        }
    }
}
