//! What every response goes through: a request id, a JSON body for every error, plain security headers, a count.

use std::net::IpAddr;
use std::sync::PoisonError;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpResponse};
use sophie_actors::ids::random_text;

use super::cors::Page;
use super::{ApiError, State};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The middleware.
pub async fn wrap<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let id = request_id(&request);
    let state = request.app_data::<Data<State>>();
    let metrics = state.map(|state| state.services.metrics.clone());
    let page = state.and_then(|state| Page::behind(&request, state));
    if let (Some(state), Some(peer)) = (state, request.peer_addr()) {
        warn_of_forgotten_proxy(request.headers(), peer.ip(), state);
    }
    // Errors of handlers are responses by now; the only other middleware answers with responses too.
    let mut response = with_json_error(next.call(request).await?);
    if let Some(page) = page {
        response = page.tell(response);
    }
    let headers = response.headers_mut();
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "identity") {
        // It has kept the compressor away, and says nothing else.
        headers.remove(header::CONTENT_ENCODING);
    }
    headers.insert(REQUEST_ID, id);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Some(metrics) = metrics {
        let class = match response.status().as_u16() / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        };
        metrics.http_requests.with_label_values(&[class]).inc();
    }
    Ok(response)
}

/// Peers that are warned of: a proxy has a few addresses, and a crowd of clients that make it up need no line each.
const WARNED: usize = 16;

/// Says once of a peer that what it forwards is not believed: behind a proxy that nobody named, all clients count as one.
fn warn_of_forgotten_proxy(headers: &HeaderMap, peer: IpAddr, state: &State) {
    let Some(header) = state.doors.disbelieved(headers, peer) else { return };
    let mut warned = state.warned.lock().unwrap_or_else(PoisonError::into_inner);
    if warned.len() < WARNED && warned.insert(peer) {
        log::warn!(
            "event=forwarding_not_believed peer={peer} header={header} setting=server.trusted_proxies \
             reason=\"if this peer is a proxy of yours, add it: until then its clients count as one address\""
        );
    }
}

/// The caller's id if it is 1 to 128 visible ASCII characters, else one of ours.
fn request_id(request: &ServiceRequest) -> HeaderValue {
    let given = request.headers().get(REQUEST_ID).filter(|value| {
        let bytes = value.as_bytes();
        (1..=128).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
    });
    given
        .cloned()
        .unwrap_or_else(|| HeaderValue::from_str(&random_text(20)).expect("letters and digits make a header value"))
}

/// An error that a library wrote gets our form.
fn with_json_error<B: MessageBody + 'static>(response: ServiceResponse<B>) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let status = response.status();
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response.map_into_left_body();
    }
    let code = match status.as_u16() {
        404 => "not_found",
        405 => "method_not_allowed",
        413 => "too_large",
        400..=499 => "bad_request",
        _ => "internal",
    };
    let message = status.canonical_reason().unwrap_or("the request failed").to_lowercase();
    let (request, _) = response.into_parts();
    let replaced = HttpResponse::build(status).json(ApiError::body(code, &message));
    ServiceResponse::new(request, replaced).map_into_right_body()
}
