//! The spans of this node on their way to a receiver that speaks OTLP over HTTP. They wait in a bounded queue, and nobody waits for them.

mod queue;
mod receiver;
mod sending;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use sophie_actors::ids::NodeId;
use sophie_actors::metrics::Metrics;
use sophie_actors::spans::Tracing;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::settings::OtelSettings;
use queue::Queue;
use receiver::Receiver;
use sending::Sending;

/// Who is asked to send at once all that waits.
type Flushes = mpsc::Receiver<Done>;
/// Is told when that was done.
type Done = oneshot::Sender<()>;

/// The way of the spans to their receiver. Without one there is none.
#[derive(Default)]
pub struct Telemetry {
    tracing: Tracing,
    flush: Option<mpsc::Sender<Done>>,
}

impl Telemetry {
    /// Begins to make spans and to send them, if the settings name a receiver. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The client cannot be made: why.
    pub fn start(settings: &OtelSettings, node: &NodeId, metrics: &Metrics) -> Result<Self, String> {
        if settings.endpoint.is_empty() {
            return Ok(Self::default());
        }
        let resource = Resource::builder_empty().with_service_name("sophie").with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", node.to_string()),
        ]);
        let resource = resource.build();
        let receiver = Receiver::new(settings, &resource)?;
        let (queue, spans) = Queue::new(metrics.clone());
        // Who asks twice is told twice; more than a few never ask.
        let (flush, flushes) = mpsc::channel(4);
        tokio::spawn(Sending::new(receiver, spans, metrics.clone()).run(flushes));
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample_ratio))))
            .with_resource(resource)
            .with_span_processor(queue)
            .build();
        let tracer = BoxedTracer::new(Box::new(provider.tracer("sophie")));
        Ok(Self { tracing: Tracing::by(tracer, settings.content), flush: Some(flush) })
    }

    /// Who makes spans.
    pub fn tracing(&self) -> Tracing {
        self.tracing.clone()
    }

    /// Sends all that waits, and waits for that no longer than `within`.
    pub async fn flush(&self, within: Duration) {
        let Some(flush) = &self.flush else { return };
        let (done, is_done) = oneshot::channel();
        if flush.try_send(done).is_ok() {
            _ = timeout(within, is_done).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{LoadFrom, Settings};

    fn start(environment: &[(&str, &str)], metrics: &Metrics) -> Telemetry {
        crate::tls::install();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let dir = tempfile::TempDir::new().unwrap();
        let loaded = Settings::load(&LoadFrom { dir: dir.path().to_owned(), file: None, environment });
        Telemetry::start(&loaded.unwrap().settings.otel, &NodeId::random(), metrics).unwrap()
    }

    fn lost(metrics: &Metrics) -> u64 {
        metrics.spans.with_label_values(&["lost"]).get()
    }

    #[tokio::test]
    async fn without_a_receiver_nobody_makes_spans() {
        let telemetry = start(&[], &Metrics::new());
        assert!(!telemetry.tracing().is_on() && telemetry.flush.is_none());
    }

    #[tokio::test]
    async fn what_finds_no_place_in_the_queue_is_counted_and_nobody_waits() {
        let metrics = Metrics::new();
        // Nobody answers there, and the queue is not emptied while this task does not wait.
        let telemetry = start(&[("SOPHIE__OTEL__ENDPOINT", "http://127.0.0.1:9")], &metrics);
        let place = sophie_actors::spans::Span::of(&telemetry.tracing(), None);
        for _ in 0..queue::PLACES + 7 {
            drop(place.begin("a"));
        }
        assert_eq!(lost(&metrics), 7);
    }

    #[tokio::test]
    async fn a_ratio_of_nothing_keeps_nothing() {
        let metrics = Metrics::new();
        let of_none = [("SOPHIE__OTEL__ENDPOINT", "http://127.0.0.1:9"), ("SOPHIE__OTEL__SAMPLE_RATIO", "0")];
        let place = sophie_actors::spans::Span::of(&start(&of_none, &metrics).tracing(), None);
        for _ in 0..queue::PLACES + 7 {
            drop(place.begin("a"));
        }
        assert_eq!(lost(&metrics), 0);
    }
}
