//! What a socket takes up while it lives, and what it is kept by.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::web::Data;
use sophie_actors::options::SessionOptions;
use sophie_actors::protocol::CloseCode;
use sophie_actors::socket::{OutboxLimits, SocketHandle};

use crate::http::visitor::{self, COME_BACK_SECONDS};
use crate::http::{ApiError, SocketPlace, State, client_address, refusals};
use crate::line::{Share, Wire};
use crate::websocket::{Heartbeat, Worker};

/// A place for one socket.
pub(super) struct Seat {
    /// Of the sockets of this node.
    _place: SocketPlace,
    /// Of the connections of its address, if it came through a proxy.
    _share: Share,
}

impl Seat {
    /// Takes one.
    ///
    /// # Errors
    /// The node is going or full, the request may not come in, or there are too many from where it comes.
    pub(super) fn take(request: &HttpRequest, state: &Data<State>) -> Result<Self, ApiError> {
        visitor::check_entrance(request, state)?;
        Self::place(request, state)
    }

    /// The same for somebody who has come in by another door.
    ///
    /// # Errors
    /// The node is going or full, or there are too many from where it comes.
    pub(super) fn place(request: &HttpRequest, state: &Data<State>) -> Result<Self, ApiError> {
        if state.is_draining() {
            let message = "this node is being restarted; connect again";
            return Err(ApiError::unavailable("draining", message, COME_BACK_SECONDS));
        }
        let place = state.connections.take().ok_or_else(|| {
            ApiError::unavailable("overloaded", "this service has as many connections as it takes", COME_BACK_SECONDS)
        })?;
        let peer = request.peer_addr().map(|peer| peer.ip());
        let share = state.lines.share_behind(peer, client_address(request, state));
        let share = share.ok_or_else(|| {
            let error = ApiError::too_many_connections();
            tell(request, state, "too_many_connections", &error);
            error
        })?;
        Ok(Self { _place: place, _share: share })
    }
}

/// Tells the log of a handshake that is refused for what is wrong with it or with this node. Who may not come in is told of where that
/// is decided.
pub(super) fn tell_if_unfit(request: &HttpRequest, state: &State, label: &'static str, error: &dyn Display) {
    if matches!(label, "bad_request" | "draining" | "overloaded") {
        tell(request, state, label, error);
    }
}

fn tell(request: &HttpRequest, state: &State, label: &'static str, error: &dyn Display) {
    refusals::handshake(label, &error.to_string(), client_address(request, state));
}

/// Why a socket is closed, for the log.
pub(super) fn reason(code: Option<CloseCode>) -> &'static str {
    code.map_or("the client went", CloseCode::label)
}

/// The way out of the socket that a request asks for.
pub(super) fn way_out(request: &HttpRequest, options: &SessionOptions, worker: &Worker) -> SocketHandle {
    let age = Duration::from_secs(options.outbox_seconds);
    let limits = OutboxLimits { bytes: options.outbox_bytes, frames: options.outbox_messages, age };
    let cut = request.conn_data::<Arc<Wire>>().cloned();
    SocketHandle::new(limits, Some(worker.bell()), move || cut.iter().for_each(|wire| wire.cut()))
}

/// How its client is watched.
pub(super) fn heartbeat(options: &SessionOptions) -> Heartbeat {
    Heartbeat::new(Duration::from_secs(options.ping_seconds), Duration::from_secs(options.pong_seconds))
}
