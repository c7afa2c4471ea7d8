//! The span of something that is said: from its way in until it is logged and its answer asked for.

use std::future::Future;

use super::{Said, Speaker, Speech, Unsaid};
use crate::ids::RequestId;
use crate::node::Node;
use crate::spans::{Begun, Span};

/// A span, if anybody makes any: what comes by no request, such as from Django, begins a trace as well.
pub(super) fn begin(node: &Node, speaker: &Speaker, speech: &Speech) -> Option<Begun> {
    if !node.tracing.is_on() {
        return None;
    }
    let place = RequestId::current().map_or_else(|| Span::of(&node.tracing, None), |id| id.stands_in().clone());
    let span = place.begin("message.send");
    span.text("sophie.group", speech.group.as_str());
    span.set("sophie.protocol", speaker.protocol().as_str());
    span.set("sophie.assistant", speech.assistant);
    Some(span)
}

/// Says it within its span.
pub(super) async fn within(span: Begun, saying: impl Future<Output = Result<Said, Unsaid>>) -> Result<Said, Unsaid> {
    let request = RequestId::current_under(&span);
    if let Some(id) = &request {
        span.text("sophie.request_id", id.as_str());
    }
    let said = RequestId::within(request, saying).await;
    match &said {
        Ok(said) => span.count("sophie.seq", said.seq),
        Err(Unsaid::Refused(refusal)) => span.fail(refusal.code.as_str()),
        Err(Unsaid::Conflict) => span.fail("conflict"),
        Err(Unsaid::Unlogged(_)) => span.fail("store_unavailable"),
    }
    said
}
