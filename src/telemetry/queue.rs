//! Spans that have ended and wait to be sent: so many and no more. Who ends one never waits.

use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use sophie_actors::metrics::Metrics;
use tokio::sync::mpsc;

/// Spans that may wait: those of some hundred answers. With texts of 16 KiB each that is some 64 MiB.
pub const PLACES: usize = 2_048;

/// The way in.
pub struct Queue {
    spans: mpsc::Sender<SpanData>,
    metrics: Metrics,
}

impl Queue {
    /// An empty one, and its way out.
    pub fn new(metrics: Metrics) -> (Self, mpsc::Receiver<SpanData>) {
        let (spans, out) = mpsc::channel(PLACES);
        (Self { spans, metrics }, out)
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a queue of spans with {} places", self.spans.capacity())
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.spans.try_send(span).is_err() {
            self.metrics.spans.with_label_values(&["lost"]).inc();
        }
    }

    /// Spans are sent by [`super::Telemetry::flush`], which waits for them without blocking.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
