//! What answers cost, summed by day.

use super::*;

pub(in crate::store) async fn what_answers_cost_is_summed_by_day_and_ranked(stores: Stores) {
    let row = |by: By, name: &str, tokens: u64| {
        (
            by,
            name.to_owned(),
            Totals { answers: 1, prompt_tokens: tokens, saved_nanos: u64::MAX >> 12, ..Totals::default() },
        )
    };
    let rows = [row(By::User, "a b:c", 5), row(By::User, "bob", 7), row(By::Model, "m", 12)];
    stores.usage.add(1, "2025-10-09", &rows).await.expect("added");
    stores.usage.add(2, "2025-10-09", &rows[..1]).await.expect("added");
    stores.usage.add(3, "2025-10-10", &rows[..1]).await.expect("added");
    let top = async |day, by, limit| stores.usage.top(day, by, limit).await.expect("read");
    let users = top("2025-10-09", By::User, 10).await;
    let of = |answers, prompt_tokens, times| Totals {
        answers,
        prompt_tokens,
        saved_nanos: (u64::MAX >> 12) * times,
        ..Totals::default()
    };
    assert_eq!(users, [("a b:c".to_owned(), of(2, 10, 2)), ("bob".to_owned(), of(1, 7, 1))]);
    assert_eq!(top("2025-10-09", By::User, 1).await, users[..1]);
    assert_eq!(top("2025-10-09", By::Model, 10).await.len(), 1);
    assert_eq!(top("2025-10-10", By::User, 10).await, [("a b:c".to_owned(), of(1, 5, 1))]);
    assert_eq!(top("2025-10-10", By::Group, 10).await, []);
    assert_eq!(top("2025-10-09", By::User, 0).await, []);
}

pub(in crate::store) async fn what_is_flushed_again_is_not_counted_again_and_no_sum_is_too_large(stores: Stores) {
    let one = |name: &str, tokens: u64| {
        (
            By::Model,
            name.to_owned(),
            Totals { answers: 1, completion_tokens: tokens, cost_nanos: tokens, ..Totals::default() },
        )
    };
    // More than one script run takes.
    let many: Vec<UsageRow> = (0..450).map(|n| one(&format!("m{n}"), 1)).collect();
    for _ in 0..3 {
        stores.usage.add(1, "2025-10-09", &many).await.expect("added");
    }
    stores.usage.add(2, "2025-10-09", &many[..1]).await.expect("added");
    stores.usage.add(1, "2025-10-09", &many).await.expect("known");
    let top = stores.usage.top("2025-10-09", By::Model, 1_000).await.expect("read");
    assert_eq!((top.len(), top[0].0.as_str(), top[0].1.answers), (450, "m0", 2));
    assert!(top[1..].iter().all(|(_, totals)| totals.answers == 1), "each once");
    for flush in 3..6 {
        stores.usage.add(flush, "2025-10-09", &[one("mad", u64::MAX), one("m1", 1)]).await.expect("added");
    }
    let top = stores.usage.top("2025-10-09", By::Model, 1_000).await.expect("read");
    let of = |name: &str| top.iter().find(|(known, _)| known == name).map(|(_, totals)| totals.answers);
    assert_eq!((of("mad"), of("m1")), (Some(3), Some(4)));
}
