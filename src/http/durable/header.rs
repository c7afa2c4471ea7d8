//! The headers of Durable Streams, and the one that names an answer.

use actix_web::http::header::HeaderName;

pub(super) const ANSWER: HeaderName = HeaderName::from_static("x-sophie-answer");
pub(super) const NEXT_OFFSET: HeaderName = HeaderName::from_static("stream-next-offset");
pub(super) const UP_TO_DATE: HeaderName = HeaderName::from_static("stream-up-to-date");
pub(super) const CLOSED: HeaderName = HeaderName::from_static("stream-closed");
pub(super) const CURSOR: HeaderName = HeaderName::from_static("stream-cursor");
pub(super) const TTL: HeaderName = HeaderName::from_static("stream-ttl");
pub(super) const SSE_DATA_ENCODING: HeaderName = HeaderName::from_static("stream-sse-data-encoding");
