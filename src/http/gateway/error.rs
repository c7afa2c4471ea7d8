//! What the gateway refuses with: a status, an error in OpenAI's shape, and what tells its SDKs whether and when to try again.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde_json::Value;
use sophie_actors::admission::{Because, NotAdmitted, Remaining};
use sophie_actors::backend::BackendError;
use sophie_actors::ids::RequestId;
use sophie_actors::openai::error::{ErrorObject, INVALID_REQUEST, SERVER};
use sophie_actors::protocol::{ErrorCode, Refusal};
use sophie_actors::store::limits::Unit;

use super::super::ApiError;
use super::super::error::head;
use super::headers;
use crate::auth::doors::Shut;

/// Tells SDKs whether trying again makes sense, whatever the status says.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// No client is told to stay away for longer, in seconds: who has to is told not to try again instead.
const LONGEST_SECONDS: u64 = 120;

/// One error.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{status}: {error}")]
pub struct GatewayError {
    status: StatusCode,
    error: ErrorObject,
    retry_after: Option<u64>,
    /// The same to the millisecond, for clients that know to ask: their places in the line are closer than a second.
    retry_after_ms: Option<u64>,
    hopeless: bool,
    allow: Option<&'static str>,
    closes: bool,
    left: Box<Remaining>,
}

impl GatewayError {
    pub(in crate::http) fn new(status: StatusCode, kind: &str, code: Option<&str>, message: &str) -> Self {
        let error = ErrorObject::new(kind, code, message);
        let left = Box::default();
        Self {
            status,
            error,
            retry_after: None,
            retry_after_ms: None,
            hopeless: false,
            allow: None,
            closes: false,
            left,
        }
    }

    /// 400: a request that is not right.
    pub fn invalid(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, INVALID_REQUEST, None, message)
    }

    /// 401: no key, or a wrong one.
    pub fn no_key(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, INVALID_REQUEST, Some("invalid_api_key"), message)
    }

    /// 401: the key was good when its holder came.
    pub fn key_is_gone() -> Self {
        Self::no_key("This API key is no longer in use; come back with another one.")
    }

    /// 403: a page that may not ask.
    pub fn foreign_page() -> Self {
        let message = "Pages of this origin may not ask: see server.allowed_origins, or set API keys.";
        Self::new(StatusCode::FORBIDDEN, INVALID_REQUEST, Some("origin_not_allowed"), message)
    }

    /// 403: a door that stands open to this machine, and not to this request.
    pub fn shut(shut: Shut) -> Self {
        Self::new(StatusCode::FORBIDDEN, INVALID_REQUEST, Some("not_allowed"), &format!("Not allowed: {shut}."))
    }

    /// 404: a model that there is not, or not for this key.
    pub fn no_model(model: &str) -> Self {
        let message = format!("The model `{model}` does not exist or you do not have access to it.");
        Self::new(StatusCode::NOT_FOUND, INVALID_REQUEST, Some("model_not_found"), &message).about("model")
    }

    /// 404: an address without a route. `there_is`: those that have one.
    pub fn no_route(method: &str, path: &str, there_is: &str) -> Self {
        let message = format!("Unknown request URL: {method} {path}. There are: {there_is}.");
        Self::new(StatusCode::NOT_FOUND, INVALID_REQUEST, Some("unknown_url"), &message)
    }

    /// 405: the route takes these methods alone.
    pub fn only(methods: &'static str) -> Self {
        let message = format!("This address takes {methods} only.");
        let refused = Self::new(StatusCode::METHOD_NOT_ALLOWED, INVALID_REQUEST, Some("method_not_allowed"), &message);
        Self { allow: Some(methods), ..refused }
    }

    /// 413: the body is longer than so many bytes.
    pub fn too_large(most: usize) -> Self {
        let message = format!("The request is larger than {most} bytes.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, INVALID_REQUEST, Some("request_too_large"), &message)
    }

    /// 429: a limit is used up; 503: as many answers are under way as may be.
    pub fn not_admitted(NotAdmitted { refusal, because, left, hard }: NotAdmitted) -> Self {
        let kind = match because {
            Because::Limit(limit) if limit.unit() == Unit::Tokens => "tokens",
            Because::Limit(_) => "requests",
            Because::Busy => return Self::busy(&refusal),
            Because::Unanswered => return Self::internal(),
        };
        let code = Some("rate_limit_exceeded");
        let refused = Self::new(StatusCode::TOO_MANY_REQUESTS, kind, code, &refusal.message);
        let wait = refusal.retry_after_ms.unwrap_or(1_000);
        let refused = refused.later(wait.div_ceil(1_000));
        Self { hopeless: hard, left: Box::new(left), retry_after_ms: Some(wait), ..refused }
    }

    /// 500: our own fault.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, SERVER, Some("internal"), "Something went wrong; try again.")
    }

    /// 503: the node is going; another one serves.
    pub fn draining() -> Self {
        let message = "This node is shutting down; try again.";
        let refused = Self::new(StatusCode::SERVICE_UNAVAILABLE, SERVER, Some("draining"), message);
        // The next try is to find another node.
        Self { closes: true, ..refused.later(1) }
    }

    fn busy(refusal: &Refusal) -> Self {
        let code = Some(refusal.code.as_str());
        let refused = Self::new(StatusCode::SERVICE_UNAVAILABLE, SERVER, code, &refusal.message);
        refused.later(refusal.retry_after_ms.unwrap_or(1_000).div_ceil(1_000))
    }

    /// 503: too many long requests wait to be read.
    pub fn overloaded() -> Self {
        let message = "Too many long requests at once; try again in a moment.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, SERVER, Some("busy"), message).later(1)
    }

    /// Which field it is about.
    pub fn about(mut self, param: &str) -> Self {
        self.error = self.error.about(param);
        self
    }

    /// What is left of the limits.
    pub fn with_left(mut self, left: &Remaining) -> Self {
        self.left = Box::new(left.clone());
        self
    }

    pub(in crate::http) fn later(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.clamp(1, LONGEST_SECONDS));
        self
    }

    /// The body, which is also what is sent inside a stream that had begun.
    pub fn body(&self) -> Value {
        self.error.body()
    }
}

/// A request that is not right.
impl From<ErrorObject> for GatewayError {
    fn from(error: ErrorObject) -> Self {
        Self { error, ..Self::invalid("") }
    }
}

impl From<BackendError> for GatewayError {
    fn from(error: BackendError) -> Self {
        let wait = error.retry_after_ms.map(|ms| ms.div_ceil(1_000));
        let retried = error.retried;
        let refused = match error.refusal {
            // The backend's own words: who speaks its protocol knows what to make of them.
            Some(refusal) => {
                let status = StatusCode::from_u16(refusal.status).ok().filter(StatusCode::is_client_error);
                let refused =
                    Self::new(status.unwrap_or(StatusCode::BAD_REQUEST), INVALID_REQUEST, None, &error.reason);
                Self { error: refusal.error, ..refused }
            }
            None => {
                let (status, kind) = match error.code {
                    ErrorCode::AiRejected => (StatusCode::BAD_REQUEST, INVALID_REQUEST),
                    ErrorCode::AiTimeout => (StatusCode::GATEWAY_TIMEOUT, SERVER),
                    ErrorCode::Interrupted => (StatusCode::BAD_GATEWAY, SERVER),
                    ErrorCode::Internal => (StatusCode::INTERNAL_SERVER_ERROR, SERVER),
                    _ => (StatusCode::SERVICE_UNAVAILABLE, SERVER),
                };
                let refused = Self::new(status, kind, Some(error.code.as_str()), &error.reason);
                // Without a word on when to come back it is the account or the set-up that is wrong.
                Self { hopeless: error.code == ErrorCode::AiUnavailable && wait.is_none(), ..refused }
            }
        };
        // What was tried again here is not to be tried again there, each time as often as here.
        let refused = Self { hopeless: refused.hopeless || retried, ..refused };
        match wait {
            Some(seconds) => refused.later(seconds),
            None => refused,
        }
    }
}

impl ResponseError for GatewayError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = head(self.status, self.retry_after);
        if let Some(ms) = self.retry_after_ms {
            response.insert_header((RETRY_AFTER_MS, ms));
        }
        if self.hopeless {
            response.insert_header((SHOULD_RETRY, HeaderValue::from_static("false")));
        }
        if let Some(methods) = self.allow {
            response.insert_header((header::ALLOW, methods));
        }
        if self.closes {
            response.force_close();
        }
        let mut body = self.body();
        if let Some(id) = RequestId::current() {
            body["request_id"] = id.as_str().into();
        }
        let mut response = response.json(body);
        headers::tell_left(response.headers_mut(), &self.left);
        response
    }
}

/// What is refused before the gateway is reached.
impl From<ApiError> for GatewayError {
    fn from(error: ApiError) -> Self {
        let (status, code, message, retry_after) = error.parts();
        let kind = if status.is_server_error() { SERVER } else { INVALID_REQUEST };
        let refused = Self::new(status, kind, Some(code), message);
        Self { retry_after, ..refused }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sophie_actors::backend::BackendRefusal;

    use super::*;

    fn failed(code: ErrorCode, retry_after_ms: Option<u64>, refusal: Option<BackendRefusal>) -> HttpResponse {
        let detail = "secret".to_owned();
        let error = BackendError { retry_after_ms, refusal, ..BackendError::new(code, "why", &detail) };
        let refused = GatewayError::from(error);
        assert!(!refused.body().to_string().contains("secret"));
        refused.error_response()
    }

    #[test]
    fn each_failure_has_a_status_and_says_whether_to_try_again() {
        use ErrorCode::{AiRejected, AiTimeout, AiUnavailable, Interrupted};
        for (code, status) in [(AiRejected, 400), (AiTimeout, 504), (Interrupted, 502), (AiUnavailable, 503)] {
            assert_eq!(failed(code, Some(1), None).status().as_u16(), status);
        }
        let busy = failed(AiUnavailable, Some(4_200), None);
        assert_eq!(busy.headers().get("retry-after").unwrap(), "5");
        assert!(!busy.headers().contains_key("x-should-retry"));
        assert_eq!(failed(AiUnavailable, None, None).headers().get("x-should-retry").unwrap(), "false");
        let why = BackendError::new(AiUnavailable, "why", "");
        let told = BackendError { retried: true, retry_after_ms: Some(1), ..why };
        assert_eq!(GatewayError::from(told).error_response().headers().get("x-should-retry").unwrap(), "false");
    }

    #[test]
    fn a_backends_own_words_are_passed_on_with_its_status() {
        let error = json!({"message": "no", "type": "t", "param": "x", "code": "c", "more": 1});
        let refusal = BackendRefusal { status: 422, error: serde_json::from_value(error.clone()).unwrap() };
        let why = BackendError::new(ErrorCode::AiRejected, "why", "");
        let told = BackendError { refusal: Some(refusal), ..why };
        let refused = GatewayError::from(told);
        assert_eq!((refused.status_code().as_u16(), refused.body()), (422, json!({"error": error})));
    }
}
