//! The OpenAI-compatible way in, through the same limits, cache and answers as chat sessions.

pub(super) mod answering;
pub(super) mod bill;
pub(crate) mod caller;
mod error;
pub(crate) mod headers;
pub(super) mod kept;
pub(super) mod models;
pub(super) mod prepared;
pub(super) mod reading;
pub(super) mod receiving;
mod running;
pub(super) mod sharing;
pub(crate) mod source;
mod stream;

use sophie_actors::options::CacheOptions;

use super::{State, client_address};
use crate::settings::HttpCache;
pub use error::GatewayError;
pub use prepared::LongBodies;
pub(super) use receiving::SHORT;
pub use running::{Running, Visit};

/// What the gateway is set up with.
pub struct Gateway {
    /// `[cache]`
    pub cache: CacheOptions,
    /// `cache.http`
    pub sharing: HttpCache,
    /// `server.max_body_bytes`
    pub max_body_bytes: usize,
    /// `answers.keep_seconds`: seconds for which an answer that goes on without its caller is kept.
    pub keep_seconds: u64,
    /// `responses.keep_seconds`
    pub keep_responses_seconds: u64,
    /// `responses.websocket`
    pub responses_socket: bool,
    /// Long bodies that are being taken apart.
    pub long_bodies: LongBodies,
    /// The answers under way.
    pub running: Running,
}

/// Whether a path is the gateway's, so that errors are to be in OpenAI's shape.
pub(super) fn is_below(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}
