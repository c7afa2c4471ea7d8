//! What spans say of each other, and that they are nothing where nobody makes any.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState, TracerProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanProcessor};

use super::*;

/// Takes what has ended.
#[derive(Debug, Clone, Default)]
struct Ended(Arc<Mutex<Vec<SpanData>>>);

impl Ended {
    fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|span| span.name.to_string()).collect()
    }

    fn named(&self, name: &str) -> SpanData {
        self.0.lock().unwrap().iter().find(|span| span.name == name).expect("it has ended").clone()
    }
}

impl SpanProcessor for Ended {
    fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.lock().unwrap().push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn tracing(content: bool) -> (Ended, Tracing) {
    let ended = Ended::default();
    let sampler = Sampler::ParentBased(Box::new(Sampler::AlwaysOn));
    let provider = SdkTracerProvider::builder().with_sampler(sampler).with_span_processor(ended.clone()).build();
    (ended, Tracing::by(BoxedTracer::new(Box::new(provider.tracer("tests"))), content))
}

fn caller(sampled: bool) -> SpanContext {
    let flags = if sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    SpanContext::new(TraceId::from(7), SpanId::from(9), flags, true, TraceState::default())
}

#[test]
fn where_nobody_makes_spans_there_is_nothing_and_nothing_is_made() {
    let span = Span::of(&Tracing::default(), None);
    let begun = span.begin("a").begin_client("b").apart().begin("c");
    // No place is allocated: that is all it costs.
    assert!(span.0.is_none() && begun.0.is_none() && begun.context().is_none());
    assert!(!begun.is_recording() && !begun.takes_content());
    begun.rename(|| panic!("nobody asks for a name"));
    begun.link(&span);
    begun.end();
}

#[test]
fn where_nobody_makes_spans_the_callers_own_word_is_passed_on() {
    let span = Span::of(&Tracing::default(), Some(caller(true)));
    let begun = span.begin("a").begin_client("b");
    assert_eq!(begun.context(), Some(&caller(true)));
    assert!(Arc::ptr_eq(begun.0.as_ref().unwrap(), span.0.as_ref().unwrap()), "no span of its own");
    assert!(!begun.is_recording());
}

#[test]
fn a_span_stands_below_the_one_that_it_began_in_and_the_first_below_the_caller() {
    let (ended, tracing) = tracing(false);
    let first = Span::of(&tracing, Some(caller(true))).begin("first");
    let second = first.begin("second");
    let third = second.begin_client("third");
    let later = third.apart().begin("later");
    later.set("key", "value");
    drop((later, third, second, first));
    assert_eq!(ended.names(), ["later", "third", "second", "first"]);
    let ids = |name| (ended.named(name).parent_span_id, ended.named(name).span_context.span_id());
    assert_eq!(ids("first").0, SpanId::from(9));
    assert_eq!((ids("second").0, ids("third").0), (ids("first").1, ids("second").1));
    assert_eq!(ids("later").0, SpanId::from(9), "it is not part of what was before it");
    let kind = |name| ended.named(name).span_kind;
    assert_eq!(
        (kind("first"), kind("second"), kind("third")),
        (SpanKind::Server, SpanKind::Internal, SpanKind::Client)
    );
    for span in ended.0.lock().unwrap().iter() {
        assert_eq!(span.span_context.trace_id(), TraceId::from(7));
    }
}

#[test]
fn without_a_caller_each_first_span_begins_a_trace_of_its_own_and_links_lead_to_others() {
    let (ended, tracing) = tracing(true);
    let place = Span::of(&tracing, None);
    let (one, other) = (place.begin("one"), place.begin("other"));
    other.link(&one);
    other.link_to("no place");
    other.link_to(&one.written().expect("it is kept"));
    other.fail("timeout");
    assert!(other.takes_content());
    let linked = one.context().expect("a span").clone();
    drop((one, other));
    let (one, other) = (ended.named("one"), ended.named("other"));
    assert_ne!(one.span_context.trace_id(), other.span_context.trace_id());
    assert_eq!(other.links.iter().map(|link| &link.span_context).collect::<Vec<_>>(), [&linked, &as_written(&linked)]);
    assert_eq!(other.status, Status::error(""));
}

/// The same, read from what was written.
fn as_written(context: &SpanContext) -> SpanContext {
    parent::read(&parent::write(context)).expect("it is good")
}

#[test]
fn what_the_caller_does_not_keep_is_not_kept_here_and_told_on_so() {
    let (ended, tracing) = tracing(true);
    let span = Span::of(&tracing, Some(caller(false))).begin("a").begin("b");
    assert!(!span.is_recording() && !span.takes_content() && span.written().is_none());
    let context = span.context().expect("it stands somewhere").clone();
    assert!(context.trace_id() == TraceId::from(7) && !context.is_sampled());
    drop(span);
    assert!(ended.names().is_empty());
}

#[test]
fn texts_and_names_are_cut_between_characters() {
    let (ended, tracing) = tracing(true);
    let span = Span::of(&tracing, None).begin("a");
    span.text("text", &"ä".repeat(MOST_TEXT));
    span.rename(|| format!("xy{}", "€".repeat(MOST_NAME)));
    drop(span);
    let span = ended.0.lock().unwrap().remove(0);
    assert_eq!(span.attributes[0].value.as_str().len(), MOST_TEXT);
    assert_eq!(span.name.len(), MOST_NAME);
    assert_eq!(beginning("abc", 9), "abc");
}
