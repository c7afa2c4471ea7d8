//! What this node tells the others of its figures.

use prometheus::core::{Collector, Metric};
use prometheus::proto;

use super::history::Percentiles;
use crate::metrics::{AtEdge, FIRST, Metrics};
use crate::protocol::unix_ms;
use crate::store::{NodeFigures, RefusedThere, Times};

/// Those at the edge of whom a node tells.
const EDGE: usize = 50;

/// Whom limits refused here of late.
pub(super) fn edge(metrics: &Metrics) -> Vec<RefusedThere> {
    let now = unix_ms();
    let there = |AtEdge { subject, limit, times, ago }| RefusedThere {
        subject,
        limit: limit.to_owned(),
        times,
        last_ms: now.saturating_sub(ago.as_millis() as u64),
    };
    metrics.edge.latest(EDGE).into_iter().map(there).collect()
}

/// The figures of this node, now.
pub(super) fn of(metrics: &Metrics) -> NodeFigures {
    let answers = |outcome: &str| metrics.answers.with_label_values(&[outcome]).get();
    let lookups = |status: &str| metrics.cache_lookups.with_label_values(&[status]).get();
    let [tokens, saved_tokens] =
        ["spent", "saved"].map(|kind| sum(&metrics.tokens, |metric| is_of(metric, "kind", kind)));
    NodeFigures {
        logged: metrics.logged.get(),
        complete: answers("complete") + answers("steered"),
        cancelled: answers("cancelled"),
        failed: answers("failed") + answers("interrupted"),
        hits: lookups("hit"),
        coalesced: lookups("coalesced"),
        misses: lookups("miss"),
        tokens: tokens as u64,
        saved_tokens: saved_tokens as u64,
        refused: sum(&metrics.refused, |_| true) as u64,
        first_piece: times([metrics.first_chunk_seconds.metric()]),
        append: times([metrics.append_seconds.metric()]),
        redis: times(rows(&metrics.redis_seconds)),
        cost: sum(&metrics.cost, |_| true),
    }
}

/// What this node measured of an AI backend since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BackendFigures {
    /// From a request to the first piece of its answer.
    pub first_piece: Percentiles,
    /// Tokens of requests.
    pub prompt_tokens: u64,
    /// Tokens of answers.
    pub completion_tokens: u64,
    /// What they cost, in the currency of the settings.
    pub cost: f64,
}

/// The figures of the backend of this name.
pub fn of_backend(metrics: &Metrics, backend: &str) -> BackendFigures {
    let of_it = |metric: &proto::Metric| is_of(metric, "backend", backend);
    let first = rows(&metrics.backend_first_chunk_seconds).into_iter().filter(of_it);
    let counts = rows(&metrics.token_usage);
    let tokens = |kind: &str| {
        let of_kind = counts.iter().filter(|metric| of_it(metric) && is_of(metric, "gen_ai_token_type", kind));
        of_kind.map(|metric| metric.get_histogram().get_sample_sum()).sum::<f64>() as u64
    };
    BackendFigures {
        first_piece: Percentiles::of(&times(first), FIRST),
        prompt_tokens: tokens("input"),
        completion_tokens: tokens("output"),
        cost: sum(&metrics.backend_cost, of_it),
    }
}

fn rows(collector: &impl Collector) -> Vec<proto::Metric> {
    collector.collect().iter().flat_map(|family| family.get_metric().to_vec()).collect()
}

fn is_of(metric: &proto::Metric, label: &str, value: &str) -> bool {
    metric.get_label().iter().any(|it| it.name() == label && it.value() == value)
}

/// The sum of some counters of a family.
fn sum(collector: &impl Collector, counts: impl Fn(&proto::Metric) -> bool) -> f64 {
    rows(collector).iter().filter(|metric| counts(metric)).map(|metric| metric.get_counter().get_value()).sum()
}

/// Histograms of one kind as one.
fn times(metrics: impl IntoIterator<Item = proto::Metric>) -> Times {
    let mut all = Times::default();
    for metric in metrics {
        let histogram = metric.get_histogram();
        let buckets = histogram.get_bucket();
        all.count += histogram.get_sample_count();
        all.buckets.resize(buckets.len(), 0);
        all.buckets.iter_mut().zip(buckets).for_each(|(sum, bucket)| *sum += bucket.cumulative_count());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::CALLS;

    #[test]
    fn a_backend_is_told_by_its_own_figures() {
        let metrics = Metrics::new();
        for (backend, seconds) in [("a", 0.1), ("a", 0.1), ("b", 9.0)] {
            metrics.backend_first_chunk_seconds.with_label_values(&[backend]).observe(seconds);
        }
        for (backend, model, kind, tokens) in [
            ("a", "m", "input", 10.0),
            ("a", "n", "input", 5.0),
            ("a", "m", "output", 7.0),
            ("b", "m", "output", 100.0),
        ] {
            metrics.token_usage.with_label_values(&["chat", "openai", model, backend, kind]).observe(tokens);
        }
        metrics.backend_cost.with_label_values(&["a"]).inc_by(0.5);
        metrics.backend_cost.with_label_values(&["b"]).inc_by(0.25);
        let a = of_backend(&metrics, "a");
        assert_eq!((a.prompt_tokens, a.completion_tokens, a.cost), (15, 7, 0.5));
        assert!(a.first_piece.p99.is_some_and(|ms| ms <= 250.0), "{a:?}");
        assert_eq!(of_backend(&metrics, "c"), BackendFigures::default());
    }

    #[test]
    fn every_figure_is_taken_from_its_metric() {
        let metrics = Metrics::new();
        metrics.logged.inc_by(3);
        for (outcome, times) in [("complete", 4), ("cancelled", 2), ("failed", 1), ("interrupted", 1)] {
            metrics.answers.with_label_values(&[outcome]).inc_by(times);
        }
        for (status, times) in [("hit", 5), ("coalesced", 6), ("miss", 7), ("bypass", 8)] {
            metrics.cache_lookups.with_label_values(&[status]).inc_by(times);
        }
        for (kind, model) in [("spent", "a"), ("spent", "b"), ("saved", "a"), ("cancelled", "a")] {
            metrics.tokens.with_label_values(&[kind, model]).inc_by(10);
        }
        metrics.cost.with_label_values(&["a"]).inc_by(0.5);
        metrics.refused.with_label_values(&["user_messages"]).inc();
        metrics.first_chunk_seconds.observe(0.2);
        metrics.append_seconds.observe(0.002);
        metrics.redis_seconds.with_label_values(&["main"]).observe(0.002);
        metrics.redis_seconds.with_label_values(&["cache"]).observe(0.2);
        let figures = of(&metrics);
        assert_eq!((figures.logged, figures.complete, figures.cancelled, figures.failed), (3, 4, 2, 2));
        assert_eq!((figures.hits, figures.coalesced, figures.misses), (5, 6, 7));
        assert_eq!((figures.tokens, figures.saved_tokens, figures.refused), (20, 10, 1));
        assert!((figures.cost - 0.5).abs() < 1e-9);
        assert_eq!((figures.first_piece.count, figures.append.count, figures.redis.count), (1, 1, 2));
        assert_eq!(figures.first_piece.quantile(1.0, FIRST), Some(0.25));
        assert_eq!(figures.append.quantile(1.0, CALLS), Some(0.002));
        assert_eq!(figures.redis.quantile(1.0, CALLS), Some(0.2));
    }
}
