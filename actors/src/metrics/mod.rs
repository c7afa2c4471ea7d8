//! What the broker counts. Names follow the Prometheus conventions; every label has a fixed set of values, and what is counted by one
//! stands at 0 from the start: the first failure is then an increase.

mod edge;
mod labels;
mod models;

use std::ops::Deref;
use std::sync::Arc;

use prometheus::{
    CounterVec, Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

pub use edge::{AtEdge, Edge};
pub use models::ModelLabels;

use crate::dependencies::Dependencies;
use crate::protocol::{CloseCode, CommandBody, ErrorCode, Protocol};

/// The bounds of calls to a store, in seconds: one to a Redis next door takes a tenth of a millisecond; its budget is 100 ms, of an append 2 s.
pub const CALLS: &[f64] = &[0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0];
/// The bounds of the time to the first piece of an answer, in seconds.
pub const FIRST: &[f64] = &[0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0];
const WHOLE: &[f64] = &[0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0];

/// The buckets that OpenTelemetry's conventions for generative AI advise: to the first token, between tokens, whole operations, tokens.
const TOKENS_FIRST: &[f64] =
    &[0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
const TOKENS_BETWEEN: &[f64] = &[0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5];
const OPERATIONS: &[f64] = &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const TOKENS: &[f64] = &[1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262_144.0, 1_048_576.0];

/// A kind of figure, as it is made of its name, its help, its labels and, for times, its buckets.
macro_rules! figure {
    (gauge $name:literal, $help:literal) => {
        IntGauge::new($name, $help)
    };
    (level $name:literal, $help:literal) => {
        Gauge::new($name, $help)
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
    (counters_of $name:literal, $help:literal, $label:literal, $values:expr) => {
        IntCounterVec::new(Opts::new($name, $help), &[$label]).inspect(|counters| {
            $values.iter().for_each(|value| _ = counters.with_label_values(&[*value]));
        })
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
    (dependencies in $shown:ident and $calls:ident; $($field:ident: $type:ty = $kind:ident($($of:tt)+);)+) => {
        /// Every figure of one broker process, and how its dependencies are doing, since whoever counts a failure knows of that as well.
        #[allow(missing_docs, reason = "each is described by its help text")]
        pub struct Figures {
            registry: Registry,
            pub dependencies: Dependencies,
            models: ModelLabels,
            pub edge: Edge,
            $(pub $field: $type,)+
        }

        impl Metrics {
            /// Fresh figures, all zero.
            pub fn new() -> Self {
                let registry = Registry::new();
                add_process(&registry);
                $(let $field: $type = add(&registry, figure!($kind $($of)+));)+
                let figures = Self(Arc::new(Figures { dependencies: Dependencies::new(&$shown, &$calls), models: ModelLabels::default(), edge: Edge::default(), registry, $($field,)+ }));
                labels::RATINGS.iter().for_each(|(kind, rating)| _ = figures.feedback.with_label_values(&[*kind, *rating]));
                figures.build_info.with_label_values(&[env!("CARGO_PKG_VERSION"), REVISION]).set(1);
                figures
            }
        }
    };
}

figures! {
    dependencies in degraded and redis_seconds;
    sockets: IntGauge = gauge("sophie_sockets", "Open WebSocket connections.");
    sessions: IntGauge = gauge("sophie_sessions", "Sessions with an actor.");
    groups: IntGauge = gauge("sophie_groups", "Groups with a member on this node.");
    registry_wait_seconds: Gauge = level(
        "sophie_registry_wait_seconds", "How long a message waited for the group registry, when this was asked for."
    );
    connects: IntCounterVec = counters_of(
        "sophie_connects_total", "WebSocket connects by outcome.", "outcome", labels::CONNECTS
    );
    closes: IntCounterVec = counters_of(
        "sophie_closes_total", "Connections that the server closed, by reason.", "reason", CloseCode::ALL.map(CloseCode::label)
    );
    commands: IntCounterVec = counters_of(
        "sophie_commands_total", "Commands of clients by type.", "type", CommandBody::NAMES
    );
    errors: IntCounterVec = counters_of(
        "sophie_errors_total", "Commands that were refused, by code.", "code", ErrorCode::ALL.map(ErrorCode::as_str)
    );
    logged: IntCounter = counter("sophie_logged_events_total", "Events appended to a group's log by this node.");
    delivered: IntCounter = counter("sophie_delivered_events_total", "Logged events handed to sockets of this node.");
    gaps: IntCounter = counter("sophie_log_gaps_total", "Gaps in a group's log that were filled by reading it.");
    log_resets: IntCounter = counter("sophie_log_resets_total", "Groups whose log was lost.");
    questions: IntCounterVec = counters_of(
        "sophie_questions_total", "Answers that were asked for, by protocol.", "protocol", Protocol::ASKED.map(Protocol::as_str)
    );
    answers: IntCounterVec = counters_of(
        "sophie_answers_total", "Answers that ended, by outcome.", "outcome", labels::ANSWERS
    );
    answers_running: IntGauge = gauge("sophie_answers_running", "Answers that are being written for a group.");
    cache_lookups: IntCounterVec = counters_of(
        "sophie_cache_lookups_total", "How answers came about.", "status", labels::CACHE_LOOKUPS
    );
    tokens: IntCounterVec = counters(
        "sophie_tokens_total",
        "Tokens: spent on the backend, cancelled (spent, and in the end nobody waited), or saved by cache and coalescing.",
        "kind", "model"
    );
    cost: CounterVec = amounts(
        "sophie_cost_total", "What the backend's tokens cost, in the currency of ai.prices.", "model"
    );
    backend_cost: CounterVec = amounts(
        "sophie_backend_cost_total", "What the tokens that a backend counted cost, in the currency of ai.prices.", "backend"
    );
    cost_saved: CounterVec = amounts("sophie_cost_saved_total", "What the saved tokens would have cost.", "model");
    first_chunk_seconds: Histogram = seconds(
        "sophie_first_chunk_seconds", "From the question to the first chunk.", FIRST
    );
    answer_seconds: Histogram = seconds(
        "sophie_answer_seconds", "From the question to the end of its answer.", WHOLE
    );
    refused: IntCounterVec = counters_of(
        "sophie_refused_total", "Requests refused by a limit.", "limit", labels::LIMITS
    );
    append_seconds: Histogram = seconds(
        "sophie_append_seconds", "How long it took to append a message to a group's log.", CALLS
    );
    redis_seconds: HistogramVec = seconds_of(
        "sophie_redis_seconds", "How long calls to Redis took, those that ran out of time included.", CALLS, "database"
    );
    people_waiting: IntGauge = gauge(
        "sophie_people_waiting", "Groups of the cluster that wait for a person, as this node knows it."
    );
    feedback: IntCounterVec = counters("sophie_feedback_total", "Ratings by what is rated.", "kind", "rating");
    session_restarts: IntCounter = counter("sophie_session_restarts_total", "Sessions restarted after a fault.");
    degraded: IntGaugeVec = gauges("sophie_degraded", "1 while a dependency is in its degraded mode.", "dependency");
    store_failures: IntCounterVec = counters_of(
        "sophie_store_failures_total", "Store calls that failed or ran out of time.", "call", labels::STORE_CALLS
    );
    mirror_writes: IntCounterVec = counters_of(
        "sophie_mirror_writes_total", "Memberships written to Redis.", "outcome", labels::MIRROR_WRITES
    );
    from_django: IntCounterVec = counters_of(
        "sophie_from_django_total", "Messages of Django by what they became.", "kind", labels::FROM_DJANGO
    );
    to_django: IntCounterVec = counters_of(
        "sophie_to_django_total", "Messages to Django's consumers by outcome.", "outcome", labels::TO_DJANGO
    );
    to_worker: IntCounterVec = counters_of(
        "sophie_to_worker_total", "Messages to Django's worker by outcome.", "outcome", labels::TO_WORKER
    );
    layer_messages: IntCounterVec = counters_of(
        "sophie_layer_messages_total", "Messages of the channel layer shared with Django, by outcome.", "outcome", labels::LAYER_MESSAGES
    );
    hook_requests: IntCounterVec = counters_of(
        "sophie_hook_requests_total", "Callers that the application was asked about, by outcome.", "outcome", labels::HOOK_REQUESTS
    );
    http_requests: IntCounterVec = counters_of(
        "sophie_http_requests_total", "HTTP requests by status class.", "status", labels::STATUS_CLASSES
    );
    spans: IntCounterVec = counters_of(
        "sophie_spans_total", "Spans of traces by what became of them.", "outcome", labels::SPANS
    );
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
    build_info: IntGaugeVec = gauges("sophie_build_info", "1, with what this process was built of.", "version", "revision");
    time_to_first_token: HistogramVec = seconds_of(
        "gen_ai_server_time_to_first_token_seconds",
        "From the request to an AI backend to what is seen first of its answer.", TOKENS_FIRST,
        "gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "backend"
    );
    time_per_output_token: HistogramVec = seconds_of(
        "gen_ai_server_time_per_output_token_seconds",
        "Between the tokens of a backend's answer, after the first.", TOKENS_BETWEEN,
        "gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "backend"
    );
    operation_duration: HistogramVec = seconds_of(
        "gen_ai_client_operation_duration_seconds",
        "Requests to AI backends, from their beginning to their end. error_type is empty if all went well.", OPERATIONS,
        "gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "backend", "error_type"
    );
    token_usage: HistogramVec = seconds_of(
        "gen_ai_client_token_usage",
        "Tokens of a request to an AI backend (input), and of its answer (output).", TOKENS,
        "gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "backend", "gen_ai_token_type"
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

    /// A figure of a backend by its model bears one of these.
    pub fn model_label<'a>(&self, model: &'a str) -> &'a str {
        self.models.label(model)
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

/// What the program was built of, where whoever built it said so (`SOPHIE_REVISION` while it is compiled).
const REVISION: &str = match option_env!("SOPHIE_REVISION") {
    Some(revision) => revision,
    None => "",
};

/// What Prometheus' own clients tell of a process: CPU, memory, open files.
fn add_process(registry: &Registry) {
    #[cfg(target_os = "linux")]
    {
        let process = prometheus::process_collector::ProcessCollector::for_self();
        registry.register(Box::new(process)).expect("every metric has a name of its own");
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
