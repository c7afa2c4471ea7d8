//! What every response goes through: a request id, a JSON body for every error, plain security headers, a count; and what every request
//! goes through before its route is looked for.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode, Version};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{Error, HttpResponse, ResponseError};
use sophie_actors::ids::RequestId;
use sophie_actors::spans::Begun;

use super::cors::AllowedPage;
use super::incoming::Incoming;
use super::tidy::tidy;
use super::{ApiError, State, chat, durable, gateway, traced};
use crate::line::{Standing, UnderWay, Wire};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What is shorter goes in one packet whether it is compressed or not, in bytes.
const WORTH_COMPRESSING: u64 = 1_024;
/// How long those are asked to stay away for whom there is no place, in seconds.
const COME_BACK_SECONDS: u64 = 2;

/// The middleware.
pub async fn wrap<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<HeldBody<EitherBody<B, BoxBody>>>, Error> {
    let id = request_id(&request);
    let span = traced::begin(&request, &id);
    let id = id.under(&span);
    RequestId::within(Some(id.clone()), answer(request, next, id, span)).await
}

async fn answer<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
    id: RequestId,
    span: Begun,
) -> Result<ServiceResponse<HeldBody<EitherBody<B, BoxBody>>>, Error> {
    tidy(&mut request);
    let state = request.app_data::<Data<State>>().cloned();
    let page = state.as_ref().and_then(|state| AllowedPage::behind(&request, state));
    if let (Some(state), Some(peer)) = (&state, request.peer_addr()) {
        warn_of_forgotten_proxy(request.headers(), peer.ip(), state);
    }
    let wire = request.conn_data::<Arc<Wire>>().cloned();
    let under_way = wire.as_ref().map(Wire::begin);
    let shape = Shape::of(request.path(), state.as_ref());
    // The connection leaves HTTP then, whatever is answered: no body that is not of a known length can be told from what follows it.
    let swallowed =
        request.headers().get_all(header::UPGRADE).any(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if swallowed {
        request.headers_mut().remove(header::ACCEPT_ENCODING);
    }
    let is_socket = swallowed && request.method() == Method::GET;
    let within = state.as_ref().map_or(Duration::MAX, |state| state.body_within);
    // Nobody who speaks HTTP/1.0 knows what it means.
    let awaits = wire.clone().filter(|wire| wire.take_expectation() && request.version() == Version::HTTP_11);
    let incoming = if is_socket { None } else { Incoming::of(&mut request, within, awaits) };

    let standing = wire.as_ref().map_or(Standing::Whole, |wire| wire.standing());
    let mut response = match no_place(standing, request.path()) {
        Some(refusal) => request.into_response(shape.tell(refusal)).map_into_right_body(),
        // Errors of handlers are responses by now; the only other middleware answers with responses too.
        None => with_json_error(next.call(request).await?),
    };
    if let Some(refusal) = incoming.as_ref().and_then(Incoming::refusal) {
        let (request, _) = response.into_parts();
        response = ServiceResponse::new(request, shape.tell(refusal)).map_into_right_body();
    }
    if let Some(page) = page {
        response = page.tell(response);
    }
    traced::answered(&span, &response);
    let is_stream = matches!(response.response().body().size(), BodySize::Stream);
    let status = response.status();
    let head = response.response_mut().head_mut();
    if standing != Standing::Whole {
        head.set_connection_type(ConnectionType::Close);
    }
    if incoming.as_ref().is_some_and(Incoming::is_left) {
        // The rest is not read: who takes the connection for a good one would ask on it in vain.
        head.set_connection_type(ConnectionType::Close);
    }
    if swallowed && status != StatusCode::SWITCHING_PROTOCOLS {
        head.set_connection_type(ConnectionType::Close);
        head.no_chunking(is_stream);
    }
    let headers = response.headers_mut();
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "identity") {
        // It has kept the compressor away, and says nothing else.
        headers.remove(header::CONTENT_ENCODING);
    }
    headers.insert(REQUEST_ID, header_of(&id));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Some(state) = state {
        let class = match status.as_u16() / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        };
        state.node.metrics.http_requests.with_label_values(&[class]).inc();
    }
    Ok(response.map_body(|_, body| HeldBody { body, id: Some(id), until: Until { incoming, under_way, wire, span } }))
}

/// Keeps the compressor away from what it cannot make smaller by much. To stand within it.
pub async fn keep_small_plain<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let mut response = next.call(request).await?;
    if let BodySize::Sized(bytes) = response.response().body().size()
        && bytes < WORTH_COMPRESSING
        && !response.headers().contains_key(header::CONTENT_ENCODING)
    {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
    }
    Ok(response)
}

/// Peers that are warned of: a proxy has a few addresses, and a crowd of clients that make it up need no line each.
const WARNED: usize = 16;

/// Says once of a peer that what it forwards is not believed: behind a proxy that nobody named, all clients count as one.
fn warn_of_forgotten_proxy(headers: &HeaderMap, peer: IpAddr, state: &State) {
    let Some(header) = state.policy().doors.disbelieved(headers, peer) else { return };
    let mut warned = state.warned.lock().unwrap_or_else(PoisonError::into_inner);
    if warned.len() < WARNED && warned.insert(peer) {
        log::warn!(
            event = "forwarding_not_believed", peer:%, header, setting = "server.trusted_proxies";
            "if this peer is a proxy of yours, add it: until then its clients count as one address"
        );
    }
}

/// Why a connection may not ask for this.
fn no_place(standing: Standing, path: &str) -> Option<ApiError> {
    let for_probes = path.starts_with("/health/") || path == "/metrics";
    match standing {
        Standing::ForProbes if !for_probes => {
            let message = "this service has as many connections as it takes";
            Some(ApiError::unavailable("overloaded", message, COME_BACK_SECONDS))
        }
        Standing::OfTooMany if !for_probes => Some(ApiError::too_many_connections()),
        _ => None,
    }
}

/// How errors are told at an address.
#[derive(Debug, Clone, Copy)]
enum Shape {
    OpenAi,
    Sentence,
    Own,
}

impl Shape {
    fn of(path: &str, state: Option<&Data<State>>) -> Self {
        match path {
            path if gateway::is_below(path) => Self::OpenAi,
            path if chat::is_below(path, durable::CHAT) => Self::Sentence,
            path if state.is_some_and(|state| chat::is_below(path, &state.chat.path)) => Self::Sentence,
            _ => Self::Own,
        }
    }

    fn tell(self, error: ApiError) -> HttpResponse {
        match self {
            Self::OpenAi => gateway::GatewayError::from(error).error_response(),
            Self::Sentence => chat::ChatRefusal::from(error).error_response(),
            Self::Own => error.error_response(),
        }
    }
}

/// A response whose error is in the words of its own protocol, and in no JSON.
pub struct InOwnWords;

/// A body that is being sent. What its request holds is held as long.
pub struct HeldBody<B> {
    body: B,
    id: Option<RequestId>,
    #[allow(dead_code, reason = "held for its drop")]
    until: Until,
}

struct Until {
    incoming: Option<Incoming>,
    under_way: Option<UnderWay>,
    wire: Option<Arc<Wire>>,
    #[allow(dead_code, reason = "it ends with the body")]
    span: Begun,
}

impl Drop for Until {
    fn drop(&mut self) {
        drop(self.under_way.take());
        if let (Some(incoming), Some(wire)) = (self.incoming.take(), self.wire.take()) {
            incoming.finish(wire);
        }
    }
}

impl<B: MessageBody + Unpin> MessageBody for HeldBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let id = self.id.clone();
        RequestId::within_now(id, || Pin::new(&mut self.body).poll_next(cx))
    }
}

/// The caller's id if it is a good one, else one of ours.
fn request_id(request: &ServiceRequest) -> RequestId {
    let given = request.headers().get(REQUEST_ID).and_then(|value| RequestId::read(value.as_bytes()));
    given.unwrap_or_else(RequestId::random)
}

fn header_of(id: &RequestId) -> HeaderValue {
    HeaderValue::from_str(id.as_str()).expect("visible ASCII makes a header value")
}

/// An error that a library wrote gets our form.
fn with_json_error<B: MessageBody + 'static>(response: ServiceResponse<B>) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let status = response.status();
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if is_json
        || response.response().extensions().contains::<InOwnWords>()
        || !(status.is_client_error() || status.is_server_error())
    {
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
