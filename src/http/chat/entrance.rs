//! Who comes to a chat of the AI SDK: as at our own WebSocket, and for each request anew, over HTTP and over a socket.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::Data;
use sophie_actors::ids::SessionId;
use sophie_actors::protocol::Protocol;
use sophie_actors::say::Speaker;

use crate::auth::Identity;
use crate::auth::credentials::bearer;
use crate::http::visitor::{self, COME_BACK_SECONDS, Comes, Shown};
use crate::http::{ApiError, State, client_address};

/// Somebody in a chat.
#[derive(Debug, Clone)]
pub struct Guest {
    /// The chat.
    pub session: SessionId,
    /// Who it is.
    pub identity: Identity,
    address: IpAddr,
}

impl Guest {
    /// As whom they speak.
    pub fn speaker(&self, protocol: Protocol) -> Speaker {
        Speaker::Session {
            session: self.session.clone(),
            user: self.identity.user.clone(),
            is_guest: self.identity.guest,
            address: self.address,
            context: self.identity.context.clone(),
            protocol,
        }
    }
}

/// Lets somebody in.
///
/// # Errors
/// The node is going; they may not come in; too many come.
pub async fn enter(request: &HttpRequest, chat: &str, state: &Data<State>) -> Result<Guest, ApiError> {
    visitor::check_entrance(request, state)?;
    let session = SessionId::parse(chat).map_err(|bad| ApiError::bad_request(bad.to_string()))?;
    enter_session(&visitor::shown(request, client_address(request, state)), session, state).await
}

/// The same past the entrance, by what was shown there.
///
/// # Errors
/// As for [`enter`].
pub async fn enter_session(shown: &Shown, session: SessionId, state: &Data<State>) -> Result<Guest, ApiError> {
    if state.is_draining() {
        let message = "this node is being restarted; try again";
        return Err(ApiError::unavailable("draining", message, COME_BACK_SECONDS));
    }
    let identity = visitor::recognize(shown.to(session.clone()), state, Comes::ToAsk).await?;
    visitor::claim_session(state, &identity, &session).await?;
    visitor::hold(state, &identity, &session).await?;
    Ok(Guest { session, identity, address: shown.address() })
}

/// The session of a chat, for who may stop its answers: whoever may be in it, and the site's own server by its API key.
///
/// # Errors
/// As for [`enter`].
pub async fn may_stop(request: &HttpRequest, chat: &str, state: &Data<State>) -> Result<SessionId, ApiError> {
    let key = visitor::text(request.headers(), header::AUTHORIZATION).and_then(bearer);
    if key.is_some_and(|key| state.policy().api_keys.holder_of(key).is_some()) {
        return SessionId::parse(chat).map_err(|bad| ApiError::bad_request(bad.to_string()));
    }
    Ok(enter(request, chat, state).await?.session)
}
