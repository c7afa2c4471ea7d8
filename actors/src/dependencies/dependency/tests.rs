//! When a dependency is degraded, and when it is well again.

use super::*;
use crate::metrics::Metrics;

/// As its readers see it, the gauge included.
fn is_degraded(metrics: &Metrics, dependency: &Dependency) -> bool {
    let gauge = metrics.degraded.with_label_values(&[dependency.name()]).get();
    assert_eq!(gauge == 1, dependency.is_degraded());
    gauge == 1
}

#[tokio::test(start_paused = true)]
async fn a_lost_link_is_a_change_at_once_and_a_found_one_when_it_has_held() {
    let metrics = Metrics::new();
    let store = metrics.dependencies.store.clone();
    assert!(metrics.dependencies.doing().is_empty(), "none is in use");
    store.in_use();
    assert_eq!(metrics.dependencies.doing()[0].since, None);
    store.lost("main", "x");
    assert!(is_degraded(&metrics, &store));
    sleep(60 * STEADY).await;
    store.found("main");
    sleep(STEADY / 2).await;
    assert!(is_degraded(&metrics, &store));
    sleep(STEADY).await;
    assert!(!is_degraded(&metrics, &store));
    let doing = &metrics.dependencies.doing()[0];
    assert_eq!((doing.dependency, doing.mode), ("store", None));
    assert!(doing.since.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_comes_and_goes_is_one_change() {
    let metrics = Metrics::new();
    let cache = metrics.dependencies.cache.clone();
    for _ in 0..20 {
        cache.lost("cache", "x");
        sleep(STEADY / 3).await;
        cache.found("cache");
        sleep(STEADY / 2).await;
        assert!(is_degraded(&metrics, &cache));
    }
    sleep(STEADY).await;
    assert!(!is_degraded(&metrics, &cache));
    // Again, a moment later: it must hold for longer.
    cache.lost("cache", "x");
    cache.found("cache");
    sleep(STEADY * 3 / 2).await;
    assert!(is_degraded(&metrics, &cache));
    sleep(STEADY).await;
    assert!(!is_degraded(&metrics, &cache));
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_counts_until_one_goes_well_or_its_link_is_new() {
    let metrics = Metrics::new();
    let limits = metrics.dependencies.limits.clone();
    let started = Instant::now();
    limits.failed(started, "x");
    sleep(5 * STEADY).await;
    assert!(is_degraded(&metrics, &limits));
    limits.worked();
    sleep(2 * STEADY).await;
    assert!(!is_degraded(&metrics, &limits));
    sleep(2 * AGAIN).await;
    limits.lost("main", "x");
    limits.found("main");
    limits.failed(started, "a call of the link before");
    sleep(2 * STEADY).await;
    assert!(!is_degraded(&metrics, &limits));
}

#[tokio::test(start_paused = true)]
async fn news_that_others_have_judged_counts_at_once() {
    let metrics = Metrics::new();
    let ai = metrics.dependencies.ai.clone();
    for _ in 0..3 {
        ai.lost("backends", "x");
        assert!(is_degraded(&metrics, &ai));
        ai.found("backends");
        assert!(!is_degraded(&metrics, &ai));
    }
}
