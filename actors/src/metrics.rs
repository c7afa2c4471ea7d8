//! What the broker counts. Names follow the Prometheus conventions; every label has a fixed set of values.

use std::ops::Deref;
use std::sync::Arc;

use prometheus::{
    CounterVec, Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder,
};

use crate::dependencies::Dependencies;
use crate::protocol::Protocol;

const FIRST: &[f64] = &[0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0];
const WHOLE: &[f64] = &[0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0];

/// A kind of figure, as it is made of its name, its help, its labels and, for times, its buckets.
macro_rules! figure {
    (gauge $name:literal, $help:literal) => {
        IntGauge::new($name, $help)
    };
    (counter $name:literal, $help:literal) => {
        IntCounter::new($name, $help)
    };
    (gauges $name:literal, $help:literal, $($label:literal),+) => {
        IntGaugeVec::new(Opts::new($name, $help), &[$($label),+])
    };
    (counters $name:literal, $help:literal, $($label:literal),+) => {
        IntCounterVec::new(Opts::new($name, $help), &[$($label),+])
    };
    (amounts $name:literal, $help:literal, $($label:literal),+) => {
        CounterVec::new(Opts::new($name, $help), &[$($label),+])
    };
    (seconds $name:literal, $help:literal, $buckets:expr) => {
        Histogram::with_opts(HistogramOpts::new($name, $help).buckets($buckets.to_vec()))
    };
    (seconds_of $name:literal, $help:literal, $buckets:expr, $($label:literal),+) => {
        HistogramVec::new(HistogramOpts::new($name, $help).buckets($buckets.to_vec()), &[$($label),+])
    };
}

/// The table of all figures: the field, its type, and what it is made of. One of them shows the dependencies.
macro_rules! figures {
    (dependencies in $shown:ident; $($field:ident: $type:ty = $kind:ident($($of:tt)+);)+) => {
        /// Every figure of one broker process, and how its dependencies are doing, since whoever counts a failure knows of that as well.
        #[allow(missing_docs, reason = "each is described by its help text")]
        pub struct Figures {
            registry: Registry,
            pub dependencies: Dependencies,
            $(pub $field: $type,)+
        }

        impl Metrics {
            /// Fresh figures, all zero.
            pub fn new() -> Self {
                let registry = Registry::new();
                $(let $field: $type = add(&registry, figure!($kind $($of)+));)+
                Self(Arc::new(Figures { dependencies: Dependencies::new(&$shown), registry, $($field,)+ }))
            }
        }
    };
}

figures! {
    dependencies in degraded;
    sockets: IntGauge = gauge("sophie_sockets", "Open WebSocket connections.");
    sessions: IntGauge = gauge("sophie_sessions", "Sessions with an actor.");
    groups: IntGauge = gauge("sophie_groups", "Groups with a member on this node.");
    connects: IntCounterVec = counters("sophie_connects_total", "WebSocket connects by outcome.", "outcome");
    closes: IntCounterVec = counters("sophie_closes_total", "Connections that the server closed, by reason.", "reason");
    commands: IntCounterVec = counters("sophie_commands_total", "Commands of clients by type.", "type");
    errors: IntCounterVec = counters("sophie_errors_total", "Commands that were refused, by code.", "code");
    logged: IntCounter = counter("sophie_logged_events_total", "Events appended to a group's log by this node.");
    delivered: IntCounter = counter("sophie_delivered_events_total", "Logged events handed to sockets of this node.");
    gaps: IntCounter = counter("sophie_log_gaps_total", "Gaps in a group's log that were filled by reading it.");
    log_resets: IntCounter = counter("sophie_log_resets_total", "Groups whose log was lost.");
    questions: IntCounterVec = counters("sophie_questions_total", "Answers that were asked for, by protocol.", "protocol");
    answers: IntCounterVec = counters("sophie_answers_total", "Answers that ended, by outcome.", "outcome");
    answers_running: IntGauge = gauge("sophie_answers_running", "Answers that are being written for a group.");
    cache_lookups: IntCounterVec = counters("sophie_cache_lookups_total", "How answers came about.", "status");
    tokens: IntCounterVec = counters(
        "sophie_tokens_total",
        "Tokens: spent on the backend, cancelled (spent, and in the end nobody waited), or saved by cache and coalescing.",
        "kind", "model"
    );
    cost: CounterVec = amounts(
        "sophie_cost_total", "What the backend's tokens cost, in the currency of ai.prices.", "model"
    );
    cost_saved: CounterVec = amounts("sophie_cost_saved_total", "What the saved tokens would have cost.", "model");
    first_chunk_seconds: Histogram = seconds(
        "sophie_first_chunk_seconds", "From the question to the first chunk.", FIRST
    );
    answer_seconds: Histogram = seconds(
        "sophie_answer_seconds", "From the question to the end of its answer.", WHOLE
    );
    refused: IntCounterVec = counters("sophie_refused_total", "Requests refused by a limit.", "limit");
    session_restarts: IntCounter = counter("sophie_session_restarts_total", "Sessions restarted after a fault.");
    degraded: IntGaugeVec = gauges("sophie_degraded", "1 while a dependency is in its degraded mode.", "dependency");
    store_failures: IntCounterVec = counters(
        "sophie_store_failures_total", "Store calls that failed or ran out of time.", "call"
    );
    mirror_writes: IntCounterVec = counters("sophie_mirror_writes_total", "Memberships written to Redis.", "outcome");
    from_django: IntCounterVec = counters("sophie_from_django_total", "Messages of Django by what they became.", "kind");
    to_django: IntCounterVec = counters("sophie_to_django_total", "Messages to Django's consumers by outcome.", "outcome");
    to_worker: IntCounterVec = counters("sophie_to_worker_total", "Messages to Django's worker by outcome.", "outcome");
    layer_messages: IntCounterVec = counters(
        "sophie_layer_messages_total", "Messages of the channel layer shared with Django, by outcome.", "outcome"
    );
    hook_requests: IntCounterVec = counters(
        "sophie_hook_requests_total", "Callers that the application was asked about, by outcome.", "outcome"
    );
    http_requests: IntCounterVec = counters("sophie_http_requests_total", "HTTP requests by status class.", "status");
    // The names of backends are those of the settings.
    backend_requests: IntCounterVec = counters(
        "sophie_backend_requests_total", "Requests to AI backends by outcome.", "backend", "outcome"
    );
    backend_available: IntGaugeVec = gauges(
        "sophie_backend_available", "0 while an AI backend is left out.", "backend"
    );
    backend_first_chunk_seconds: HistogramVec = seconds_of(
        "sophie_backend_first_chunk_seconds",
        "From the request to an AI backend to its first chunk, repetitions included.", FIRST, "backend"
    );
}

/// The [`Figures`]. Clones share them, and every command and every socket has one.
#[derive(Clone)]
pub struct Metrics(Arc<Figures>);

impl Deref for Metrics {
    type Target = Figures;

    fn deref(&self) -> &Figures {
        &self.0
    }
}

impl Metrics {
    /// The Prometheus text format.
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        // The text encoder fails only on a family without samples, which `gather` leaves out.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// An answer was asked for.
    pub fn asked(&self, protocol: Protocol) {
        self.questions.with_label_values(&[protocol.as_str()]).inc();
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
