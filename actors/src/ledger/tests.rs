//! What answers cost, by price and cache, and what is not lost on the way to the store.

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
    (0..69).for_each(|n| ledger.note(&alice(None), &format!("m{n}"), USAGE, Account::Spent));
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
