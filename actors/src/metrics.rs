//! What the broker counts. Names follow the Prometheus conventions; every label has a fixed set of values.

use prometheus::{
    CounterVec, Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder,
};

/// Every figure of one broker process. Clones share the figures.
#[derive(Clone)]
#[allow(missing_docs, reason = "each is described by its help text below")]
pub struct Metrics {
    registry: Registry,
    pub sockets: IntGauge,
    pub sessions: IntGauge,
    pub groups: IntGauge,
    pub connects: IntCounterVec,
    pub closes: IntCounterVec,
    pub commands: IntCounterVec,
    pub errors: IntCounterVec,
    pub logged: IntCounter,
    pub delivered: IntCounter,
    pub gaps: IntCounter,
    pub log_resets: IntCounter,
    pub answers: IntCounterVec,
    pub answers_running: IntGauge,
    pub cache_lookups: IntCounterVec,
    pub tokens: IntCounterVec,
    pub cost: CounterVec,
    pub cost_saved: CounterVec,
    pub first_chunk_seconds: Histogram,
    pub answer_seconds: Histogram,
    pub refused: IntCounterVec,
    pub session_restarts: IntCounter,
    pub degraded: IntGaugeVec,
    pub store_failures: IntCounterVec,
    pub mirror_writes: IntCounterVec,
    pub from_django: IntCounterVec,
    pub to_django: IntCounterVec,
    pub to_worker: IntCounterVec,
    pub layer_messages: IntCounterVec,
    pub hook_requests: IntCounterVec,
    pub http_requests: IntCounterVec,
    pub backend_requests: IntCounterVec,
    pub backend_available: IntGaugeVec,
    pub backend_first_chunk_seconds: HistogramVec,
}

impl Metrics {
    /// Fresh figures, all zero.
    pub fn new() -> Self {
        let registry = Registry::new();
        let gauge = |name: &str, help: &str| add(&registry, IntGauge::new(name, help));
        let counter = |name: &str, help: &str| add(&registry, IntCounter::new(name, help));
        let counters =
            |name: &str, help: &str, label: &str| add(&registry, IntCounterVec::new(Opts::new(name, help), &[label]));
        let money = |name: &str, help: &str| add(&registry, CounterVec::new(Opts::new(name, help), &["model"]));
        let seconds = |name: &str, help: &str, buckets: &[f64]| {
            add(&registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())))
        };
        const FIRST: &[f64] = &[0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0];
        const WHOLE: &[f64] = &[0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0];
        Self {
            sockets: gauge("sophie_sockets", "Open WebSocket connections."),
            sessions: gauge("sophie_sessions", "Sessions with an actor."),
            groups: gauge("sophie_groups", "Groups with a member on this node."),
            connects: counters("sophie_connects_total", "WebSocket connects by outcome.", "outcome"),
            closes: counters("sophie_closes_total", "Connections that the server closed, by reason.", "reason"),
            commands: counters("sophie_commands_total", "Commands of clients by type.", "type"),
            errors: counters("sophie_errors_total", "Commands that were refused, by code.", "code"),
            logged: counter("sophie_logged_events_total", "Events appended to a group's log by this node."),
            delivered: counter("sophie_delivered_events_total", "Logged events handed to sockets of this node."),
            gaps: counter("sophie_log_gaps_total", "Gaps in a group's log that were filled by reading it."),
            log_resets: counter("sophie_log_resets_total", "Groups whose log was lost."),
            answers: counters("sophie_answers_total", "Answers that ended, by outcome.", "outcome"),
            answers_running: gauge("sophie_answers_running", "Answers that are being written for a group."),
            cache_lookups: counters("sophie_cache_lookups_total", "How answers came about.", "status"),
            tokens: add(
                &registry,
                IntCounterVec::new(
                    Opts::new(
                        "sophie_tokens_total",
                        "Tokens: spent on the backend, cancelled (spent, and in the end nobody waited), or saved by cache and \
                         coalescing.",
                    ),
                    &["kind", "model"],
                ),
            ),
            cost: money("sophie_cost_total", "What the backend's tokens cost, in the currency of ai.prices."),
            cost_saved: money("sophie_cost_saved_total", "What the saved tokens would have cost."),
            first_chunk_seconds: seconds("sophie_first_chunk_seconds", "From the question to the first chunk.", FIRST),
            answer_seconds: seconds("sophie_answer_seconds", "From the question to the end of its answer.", WHOLE),
            refused: counters("sophie_refused_total", "Requests refused by a limit.", "limit"),
            session_restarts: counter("sophie_session_restarts_total", "Sessions restarted after a fault."),
            degraded: add(
                &registry,
                IntGaugeVec::new(
                    Opts::new("sophie_degraded", "1 while a dependency is in its degraded mode."),
                    &["dependency"],
                ),
            ),
            store_failures: counters(
                "sophie_store_failures_total",
                "Store calls that failed or ran out of time.",
                "call",
            ),
            mirror_writes: counters("sophie_mirror_writes_total", "Memberships written to Redis.", "outcome"),
            from_django: counters("sophie_from_django_total", "Messages of Django by what they became.", "kind"),
            to_django: counters("sophie_to_django_total", "Messages to Django's consumers by outcome.", "outcome"),
            to_worker: counters("sophie_to_worker_total", "Messages to Django's worker by outcome.", "outcome"),
            layer_messages: counters(
                "sophie_layer_messages_total",
                "Messages of the channel layer shared with Django, by outcome.",
                "outcome",
            ),
            hook_requests: counters(
                "sophie_hook_requests_total",
                "Callers that the application was asked about, by outcome.",
                "outcome",
            ),
            http_requests: counters("sophie_http_requests_total", "HTTP requests by status class.", "status"),
            // The names of backends are those of the settings.
            backend_requests: add(
                &registry,
                IntCounterVec::new(
                    Opts::new("sophie_backend_requests_total", "Requests to AI backends by outcome."),
                    &["backend", "outcome"],
                ),
            ),
            backend_available: add(
                &registry,
                IntGaugeVec::new(
                    Opts::new("sophie_backend_available", "0 while an AI backend is left out."),
                    &["backend"],
                ),
            ),
            backend_first_chunk_seconds: add(
                &registry,
                HistogramVec::new(
                    HistogramOpts::new(
                        "sophie_backend_first_chunk_seconds",
                        "From the request to an AI backend to its first chunk, repetitions included.",
                    )
                    .buckets(FIRST.to_vec()),
                    &["backend"],
                ),
            ),
            registry,
        }
    }

    /// The Prometheus text format.
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        // The text encoder fails only on a family without samples, which `gather` leaves out.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// A store call failed.
    pub fn store_failed(&self, call: &str) {
        self.store_failures.with_label_values(&[call]).inc();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn add<M: prometheus::core::Collector + Clone + 'static>(registry: &Registry, metric: prometheus::Result<M>) -> M {
    let metric = metric.expect("metric names and labels are constants of legal form");
    registry.register(Box::new(metric.clone())).expect("every metric has a name of its own");
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_rendered_as_prometheus_text() {
        let metrics = Metrics::new();
        metrics.closes.with_label_values(&["slow"]).inc();
        let text = metrics.render();
        assert!(text.contains("sophie_closes_total{reason=\"slow\"} 1"), "{text}");
        assert!(text.contains("# TYPE sophie_sockets gauge"), "{text}");
    }
}
