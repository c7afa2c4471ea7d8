//! The ways in by WebSocket: everything that is decided before a connection becomes a socket of a session, or of another protocol.

mod access;
pub mod ai_sdk;
mod chat;
mod dialect;
mod flood;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod guest;
mod handshake;
mod query;
pub mod responses;
mod seat;

use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, rt};
use sophie_actors::ids::{Epoch, SessionId};
use sophie_actors::protocol::{Close, CloseCode, unix_ms};
use sophie_actors::socket::{Access, Attached, SessionHandle};

use crate::auth::credentials;
use crate::http::visitor::{self, COME_BACK_SECONDS, Comes, joined};
use crate::http::{ApiError, State, client_address};
use crate::websocket::{self, Allowed, Connection, Options};
use access::CallerAccess;
use chat::Chat;
use guest::GuestAccess;
use seat::Seat;

/// `GET /ws/chat/{session}`
pub async fn connect(
    request: HttpRequest,
    session: Path<String>,
    state: Data<State>,
) -> Result<HttpResponse, ApiError> {
    let outcome = open(&request, &session, &state).await;
    let label = match &outcome {
        Ok(_) => "accepted",
        Err(error) => {
            seat::tell_if_unfit(&request, &state, error.label(), error);
            error.label()
        }
    };
    state.node.metrics.connects.with_label_values(&[label]).inc();
    outcome
}

async fn open(request: &HttpRequest, session: &str, state: &Data<State>) -> Result<HttpResponse, ApiError> {
    let session = SessionId::parse(session).map_err(|bad| ApiError::bad_request(bad.to_string()))?;
    let headers = request.headers();
    let offers = joined(headers, header::SEC_WEBSOCKET_PROTOCOL, ",");
    let protocol = credentials::negotiate(&offers)
        .map_err(|_| ApiError::bad_request("offer the subprotocol sophie.v1, or none"))?;
    let resume = query::resume(request.query_string())?;
    let seat = Seat::take(request, state)?;
    let address = client_address(request, state);
    let (identity, shown) = visitor::identify(request, &session, address, state, Comes::ToStay).await?;
    // Only now, so that a page whose upgrade failed can learn why by a plain request.
    let upgrade = match handshake::check(request) {
        Ok(upgrade) => upgrade,
        Err(_) if visitor::would_be_refused(state, &identity, &session).await => return Err(visitor::not_open()),
        Err(error) => return Err(error),
    };
    let claim = visitor::claim_session(state, &identity, &session).await?;
    let lost = visitor::hold(state, &identity, &session).await?;
    let actor = session_actor(state, &session).await?;

    let options = &state.node.options;
    let worker = upgrade.worker();
    let handle = seat::way_out(request, options, &worker);
    log::debug!(session:%, user:% = identity.user, address:%, socket:% = handle.id(); "a socket is open");
    let access: Arc<dyn Access> = match identity.guest {
        true => Arc::new(GuestAccess { user: identity.user, session }),
        false => Arc::new(CallerAccess {
            identity,
            shown,
            claim,
            lost,
            in_force: state.in_force.clone(),
            sessions: state.node.stores.sessions.clone(),
        }),
    };
    let socket = Attached { handle: handle.clone(), access, address, since_ms: unix_ms() };
    let opened = match actor {
        Ok(actor) => Some((actor, socket, resume)),
        Err(close) => {
            handle.close(close);
            None
        }
    };
    let limited = !state.node.limiter.is_off();
    let chat = Chat::new(handle.clone(), opened, options, limited, &state.node.metrics, seat);
    let deflate = websocket::handshake::compression(request, options.compression);
    let allowed = Allowed { bytes: options.frame_bytes(), binary: false, compressed: deflate.is_some() };
    let heartbeat = seat::heartbeat(options);
    let answer = websocket::handshake::accept(request, protocol, deflate);
    upgrade.then(move |raw| {
        let options = Options { allowed, heartbeat: Some(heartbeat), deflate };
        rt::spawn(Connection::new(raw, handle, chat, worker, options));
    });
    Ok(answer)
}

/// The session's actor, with its record read; or why the socket is to be closed at once.
async fn session_actor(state: &State, session: &SessionId) -> Result<Result<SessionHandle, Close>, ApiError> {
    // An idle session may end between the two questions: then a new one is opened.
    for _ in 0..2 {
        let opened = state.node.registry.open(session.clone()).await;
        let actor = match opened {
            Ok(Ok(actor)) => actor,
            Ok(Err(close)) if close.code == CloseCode::KeptFailing => return Ok(Err(close)),
            Ok(Err(_)) | Err(_) => {
                return Err(ApiError::unavailable("draining", "this node takes no new sessions", COME_BACK_SECONDS));
            }
        };
        if actor.is_loaded().await {
            return Ok(Ok(actor));
        }
    }
    Err(visitor::store_away())
}

/// Where a client left off.
pub(crate) type Resume = Option<(u64, Epoch)>;
