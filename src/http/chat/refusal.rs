//! What `useChat` is told when it gets no stream: one sentence, which it shows to its user.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use sophie_actors::dialects::BadRequest;
use sophie_actors::say::Unsaid;
use sophie_actors::store::StoreError;

use crate::http::{ApiError, InOwnWords};

/// An error whose body is its sentence.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ChatRefusal(ApiError);

impl ChatRefusal {
    /// 405.
    pub fn only(methods: &'static str) -> Self {
        Self(ApiError::only(methods))
    }

    /// 404.
    pub fn no_route(base: &str) -> Self {
        let there_is =
            format!("POST {base}, GET {base}/{{id}}/stream, POST {base}/{{id}}/stop and GET {base}/{{id}}/messages");
        Self(ApiError::not_found(format!("there is nothing at this address; there is {there_is}")))
    }

    /// 409.
    pub fn conflict(message: &str) -> Self {
        Self(ApiError::new(StatusCode::CONFLICT, "conflict", message))
    }

    /// 426.
    pub fn upgrade_required() -> Self {
        let message = "this address takes POST, or a WebSocket";
        Self(
            ApiError::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", message).with(header::UPGRADE, "websocket"),
        )
    }

    /// The sentence.
    pub fn sentence(&self) -> String {
        let (_, _, message, _) = self.0.parts();
        let mut sentence = message.to_owned();
        if let Some(first) = sentence.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        if !sentence.ends_with(['.', '?', '!']) {
            sentence.push('.');
        }
        sentence
    }

    /// The code, as a metric label.
    pub fn label(&self) -> &'static str {
        self.0.label()
    }
}

impl From<ApiError> for ChatRefusal {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<StoreError> for ChatRefusal {
    fn from(error: StoreError) -> Self {
        Self(error.into())
    }
}

impl From<BadRequest> for ChatRefusal {
    fn from(bad: BadRequest) -> Self {
        Self(ApiError::bad_request(bad.message))
    }
}

impl From<Unsaid> for ApiError {
    fn from(unsaid: Unsaid) -> Self {
        match unsaid {
            Unsaid::Refused(refusal) => refusal.into(),
            Unsaid::Conflict => Self::new(StatusCode::CONFLICT, "conflict", "another message was sent under this id"),
            Unsaid::Unlogged(error) => error.into(),
        }
    }
}

impl ResponseError for ChatRefusal {
    fn status_code(&self) -> StatusCode {
        self.0.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.0.error_response().set_body(self.sentence());
        let text = header::HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, text);
        response.extensions_mut().insert(InOwnWords);
        response.map_into_boxed_body()
    }
}
