//! Who makes spans, if anybody does.

use std::sync::Arc;

use opentelemetry::Context;
use opentelemetry::global::{BoxedSpan, BoxedTracer};
use opentelemetry::trace::{SpanBuilder, SpanContext, SpanKind, TraceContextExt, Tracer};

/// Who makes spans; by default nobody. Clones are the same.
#[derive(Clone, Default)]
pub struct Tracing(Option<Arc<Maker>>);

struct Maker {
    tracer: BoxedTracer,
    content: bool,
}

impl Tracing {
    /// By this tracer. `content`: the texts of questions and answers may be told.
    pub fn by(tracer: BoxedTracer, content: bool) -> Self {
        Self(Some(Arc::new(Maker { tracer, content })))
    }

    /// Whether anybody does.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn takes_content(&self) -> bool {
        self.0.as_ref().is_some_and(|maker| maker.content)
    }

    /// A span below another one, or the first of a trace. `None`: nobody makes any.
    pub(super) fn begin(&self, name: &'static str, kind: SpanKind, parent: Option<&SpanContext>) -> Option<BoxedSpan> {
        let maker = self.0.as_ref()?;
        let above = parent.map_or_else(Context::new, |parent| Context::new().with_remote_span_context(parent.clone()));
        Some(maker.tracer.build_with_context(SpanBuilder::from_name(name).with_kind(kind), &above))
    }
}

impl std::fmt::Debug for Tracing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_on() { "traces are made" } else { "no traces are made" })
    }
}
