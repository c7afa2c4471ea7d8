//! Spans of traces, by OpenTelemetry's API: what was done for a request, from its first byte to its last. Who exports them is not known here,
//! nor whether anybody does: without one a span is nothing, and costs a look at that.

mod begun;
pub mod parent;
mod tracing;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::global::BoxedSpan;
use opentelemetry::trace::{Span as _, SpanContext, SpanKind, Status};
use opentelemetry::{KeyValue, Value};

pub use begun::Begun;
pub use tracing::Tracing;

/// Bytes of a text that a span takes, at most: a question, an answer, a name that a caller made up.
pub const MOST_TEXT: usize = 16 * 1024;
/// Bytes of a name that a caller made up.
const MOST_NAME: usize = 128;

/// Where the work of a request stands: a span of ours, or only the caller's, or nothing. Clones are the same span.
#[derive(Clone, Default)]
pub struct Span(Option<Arc<Place>>);

struct Place {
    source: Arc<Source>,
    own: Option<Own>,
}

/// What all spans of a request have in common.
struct Source {
    tracing: Tracing,
    /// Where the caller stands, as they say.
    caller: Option<SpanContext>,
}

struct Own {
    context: SpanContext,
    recording: bool,
    span: Mutex<BoxedSpan>,
}

impl Own {
    fn span(&self) -> MutexGuard<'_, BoxedSpan> {
        self.span.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Span {
    /// Where a request stands before anything was done for it.
    pub fn of(tracing: &Tracing, caller: Option<SpanContext>) -> Self {
        if !tracing.is_on() && caller.is_none() {
            return Self(None);
        }
        Self(Some(Arc::new(Place { source: Arc::new(Source { tracing: tracing.clone(), caller }), own: None })))
    }

    /// Where its request stood before anything was done for it: what is said later over the same socket is another matter.
    pub fn apart(&self) -> Self {
        Self(self.0.as_ref().map(|place| Arc::new(Place { source: place.source.clone(), own: None })))
    }

    /// Begins a span of something that is done here: for a caller, or within what is under way.
    pub fn begin(&self, name: &'static str) -> Begun {
        self.begin_kind(name, if self.own().is_some() { SpanKind::Internal } else { SpanKind::Server })
    }

    /// Begins a span of something that another service is asked for.
    pub fn begin_client(&self, name: &'static str) -> Begun {
        self.begin_kind(name, SpanKind::Client)
    }

    fn begin_kind(&self, name: &'static str, kind: SpanKind) -> Begun {
        let Some(place) = &self.0 else { return Begun::default() };
        let parent = place.own.as_ref().map(|own| &own.context).or(place.source.caller.as_ref());
        let Some(span) = place.source.tracing.begin(name, kind, parent) else { return Begun::of(self.clone()) };
        let (context, recording) = (span.span_context().clone(), span.is_recording());
        let own = Some(Own { context, recording, span: Mutex::new(span) });
        Begun::of(Self(Some(Arc::new(Place { source: place.source.clone(), own }))))
    }

    fn own(&self) -> Option<&Own> {
        self.0.as_ref()?.own.as_ref()
    }

    fn recording(&self) -> Option<MutexGuard<'_, BoxedSpan>> {
        self.own().filter(|own| own.recording).map(Own::span)
    }

    /// Whether what is told of it is kept: else nothing need be made for it.
    pub fn is_recording(&self) -> bool {
        self.own().is_some_and(|own| own.recording)
    }

    /// Whether the texts of questions and answers may be told of it.
    pub fn takes_content(&self) -> bool {
        self.is_recording() && self.0.as_ref().is_some_and(|place| place.source.tracing.takes_content())
    }

    /// What a service that is asked on its behalf is told: where this span stands, or the caller's own word.
    pub fn context(&self) -> Option<&SpanContext> {
        let place = self.0.as_ref()?;
        place.own.as_ref().map(|own| &own.context).or(place.source.caller.as_ref())
    }

    /// Says something of it.
    pub fn set(&self, key: &'static str, value: impl Into<Value>) {
        if let Some(mut span) = self.recording() {
            span.set_attribute(KeyValue::new(key, value));
        }
    }

    /// Says how many of something there were.
    pub fn count(&self, key: &'static str, number: u64) {
        self.set(key, i64::try_from(number).unwrap_or(i64::MAX));
    }

    /// Says a text of it, or the beginning of one that is long.
    pub fn text(&self, key: &'static str, text: &str) {
        if self.is_recording() {
            self.set(key, beginning(text, MOST_TEXT).to_owned());
        }
    }

    /// Gives it another name, now that more is known. Not too many of them: what differs at each request is no name.
    pub fn rename(&self, name: impl FnOnce() -> String) {
        if let Some(mut span) = self.recording() {
            span.update_name(beginning(&name(), MOST_NAME).to_owned());
        }
    }

    /// Something has happened now.
    pub fn event(&self, name: &'static str) {
        if let Some(mut span) = self.recording() {
            span.add_event(name, Vec::new());
        }
    }

    /// Something that another trace tells of has to do with this.
    pub fn link(&self, other: &Self) {
        if let (Some(mut span), Some(other)) = (self.recording(), other.own()) {
            span.add_link(other.context.clone(), Vec::new());
        }
    }

    /// The same of a place that was written down; what is none is passed over.
    pub fn link_to(&self, written: &str) {
        if let (Some(mut span), Some(context)) = (self.recording(), parent::read(written)) {
            span.add_link(context, Vec::new());
        }
    }

    /// Its place, to be written down for [`Self::link_to`], if it is kept.
    pub fn written(&self) -> Option<String> {
        self.own().filter(|own| own.recording).map(|own| parent::write(&own.context))
    }

    /// It came to nothing; `error` is one of a few words.
    pub fn fail(&self, error: &str) {
        if let Some(mut span) = self.recording() {
            span.set_attribute(KeyValue::new("error.type", error.to_owned()));
            span.set_status(Status::error(""));
        }
    }

    /// It has ended; the first end stands.
    pub fn end(&self) {
        if let Some(mut span) = self.recording() {
            span.end();
        }
    }
}

/// A text, or its beginning of at most so many bytes.
pub fn beginning(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests;
