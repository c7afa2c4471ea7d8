//! Errors as HTTP clients see them: `{"error":{"code","message","request_id"}}`, never empty, never a stack.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde_json::json;
use sophie_actors::ids::RequestId;
use sophie_actors::protocol::{ErrorCode, Refusal};
use sophie_actors::store::StoreError;

use crate::auth::doors::Shut;

/// One error.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<u64>,
    header: Option<(HeaderName, &'static str)>,
}

impl ApiError {
    /// An error with its status.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None, header: None }
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// 404.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 409.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// 410: it was there, and will not be there again.
    pub fn gone(message: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, "gone", message)
    }

    /// 401.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// 405: the address takes these methods alone.
    pub fn only(methods: &'static str) -> Self {
        let message = "this address does not take that method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message).with(header::ALLOW, methods)
    }

    /// 503, with when to come back in seconds.
    pub fn unavailable(code: &'static str, message: impl Into<String>, retry_after: u64) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message).retry_after(retry_after)
    }

    /// 429: an address has as many connections as it may.
    pub fn too_many_connections() -> Self {
        let message = "this address has too many connections; close one first";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message).retry_after(2)
    }

    /// Adds `Retry-After`, in seconds.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// Adds a header.
    pub fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.header = Some((name, value));
        self
    }

    /// The code, as a metric label.
    pub fn label(&self) -> &'static str {
        self.code
    }

    /// Status, code, message and seconds to stay away, for those who write errors in another shape.
    pub fn parts(&self) -> (StatusCode, &'static str, &str, Option<u64>) {
        (self.status, self.code, &self.message, self.retry_after)
    }

    /// The body. It names the request, so that what a user shows an operator is found in the log.
    pub fn body(code: &str, message: &str) -> serde_json::Value {
        let mut error = json!({"code": code, "message": message});
        if let Some(id) = RequestId::current() {
            error["request_id"] = id.as_str().into();
        }
        json!({"error": error})
    }
}

/// The head of an error, in whichever shape its body is: when to come back, in seconds, and how to say who one is.
pub fn head(status: StatusCode, retry_after: Option<u64>) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    if let Some(seconds) = retry_after {
        response.insert_header((header::RETRY_AFTER, seconds));
    }
    if status == StatusCode::UNAUTHORIZED {
        response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
    }
    response
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = head(self.status, self.retry_after);
        if let Some((name, value)) = &self.header {
            response.insert_header((name.clone(), *value));
        }
        response.json(Self::body(self.code, &self.message))
    }
}

impl From<Shut> for ApiError {
    fn from(shut: Shut) -> Self {
        Self::new(StatusCode::FORBIDDEN, "not_allowed", shut.to_string())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        log::debug!(error:%; "a call to the store failed");
        Self::unavailable("store_unavailable", "the store did not answer in time; try again", 1)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.code {
            ErrorCode::BadJson | ErrorCode::BadRequest | ErrorCode::UnknownType => StatusCode::BAD_REQUEST,
            ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::NotMember | ErrorCode::NotAllowed => StatusCode::FORBIDDEN,
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::RateLimited | ErrorCode::Busy => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        let error = Self::new(status, refusal.code.as_str(), refusal.message);
        match refusal.retry_after_ms {
            Some(ms) => error.retry_after(ms.div_ceil(1_000)),
            None => error,
        }
    }
}
