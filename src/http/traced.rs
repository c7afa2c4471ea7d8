//! The span of an HTTP request, which ends when the last byte of its response is sent.

use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::web::Data;
use sophie_actors::ids::RequestId;
use sophie_actors::spans::{Begun, Span, Tracing};

use super::State;
use crate::trace_context;

/// Begins within what the caller says that it belongs to. Probes and scrapers come all the time, and nobody looks for them.
pub(super) fn begin(request: &ServiceRequest, id: &RequestId) -> Begun {
    let caller = trace_context::of_caller(request.headers());
    let (off, state) = (Tracing::default(), request.app_data::<Data<State>>());
    let tracing = state.map_or(&off, |state| &state.node.tracing);
    if !tracing.is_on() && caller.is_none() {
        return Begun::default();
    }
    if request.path().starts_with("/health/") || request.path() == "/metrics" {
        return Begun::default();
    }
    let span = Span::of(tracing, caller).begin("HTTP");
    if span.is_recording() {
        span.set("http.request.method", method(request.method()));
        span.text("sophie.request_id", id.as_str());
    }
    span
}

/// Says how it was answered. The path itself may hold what only the caller may know: it is told as the route that it took.
pub(super) fn answered<B>(span: &Span, response: &ServiceResponse<B>) {
    if !span.is_recording() {
        return;
    }
    let (request, status) = (response.request(), response.status());
    let named = match method(request.method()) {
        "_OTHER" => "HTTP",
        method => method,
    };
    match request.match_pattern() {
        Some(route) => {
            span.rename(|| format!("{named} {route}"));
            span.set("http.route", route);
        }
        None => span.rename(|| named.to_owned()),
    }
    span.set("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.fail(status.as_str());
    }
}

/// A method, if it is one that HTTP has: callers make up others, and a span is named after few words.
fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "PATCH" => "PATCH",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "CONNECT" => "CONNECT",
        "TRACE" => "TRACE",
        _ => "_OTHER",
    }
}
