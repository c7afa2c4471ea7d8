//! Who comes to a chat, over a WebSocket or by plain HTTP: past the door, from a page that may, within the limits, and known.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Data;
use sophie_actors::admission::{AdmitConnect, Because, NotAdmitted, Spend, Spending, Subject};
use sophie_actors::ids::{GroupName, SessionId};
use sophie_actors::protocol::Refusal;
use sophie_actors::store::{SessionRecords, StoreResult};

use super::{ApiError, State, client_address, refusals};
use crate::auth::hook::CallerHeaders;
use crate::auth::{AuthError, Credentials, Freshness, Identity, SessionRule, credentials};

/// How long a client is asked to stay away while the service is full or its store is away, in seconds.
pub const COME_BACK_SECONDS: u64 = 2;

/// Whether a request may come to the chats at all: by the door, and by the page that it comes from.
///
/// # Errors
/// 403.
pub fn check_entrance(request: &HttpRequest, state: &State) -> Result<(), ApiError> {
    state.check_chat_door(request)?;
    let headers = request.headers();
    if state.policy().origins.allows(text(headers, header::ORIGIN), text(headers, header::HOST)) {
        return Ok(());
    }
    refusals::origin(headers, client_address(request, state));
    Err(ApiError::new(StatusCode::FORBIDDEN, "not_allowed", "this origin may not connect"))
}

/// For what somebody comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comes {
    /// For a connection that lasts.
    ToStay,
    /// For one request.
    ToAsk,
}

/// Who asks for a session, from an address, and what they have shown.
///
/// # Errors
/// As for [`recognize`].
pub async fn identify(
    request: &HttpRequest,
    session: &SessionId,
    address: IpAddr,
    state: &Data<State>,
    comes: Comes,
) -> Result<(Identity, Credentials), ApiError> {
    let shown = shown(request, address).to(session.clone());
    Ok((recognize(shown.clone(), state, comes).await?, shown))
}

/// Who somebody is, by what they have shown.
///
/// # Errors
/// Too many come from there, or they have not shown that they may come in, or nobody can say.
pub async fn recognize(shown: Credentials, state: &Data<State>, comes: Comes) -> Result<Identity, ApiError> {
    let address = shown.address;
    match comes {
        Comes::ToStay => admit(state, AdmitConnect::From(address)).await?,
        // Who reads along comes again and again.
        Comes::ToAsk => {
            let spend = Spend { whose: Subject::Address(address), on: Spending::Reads, units: 1 };
            state.node.limiter.spend(spend).await.map_err(Refusal::from)?;
        }
    }
    let authenticator = state.policy().authenticator.clone();
    let identity = authenticator.authenticate(shown, Freshness::Kept).await.map_err(refused)?;
    // A guest is named by the session alone: a limit would let strangers lock it.
    if !identity.guest && comes == Comes::ToStay {
        admit(state, AdmitConnect::Of(identity.user.clone())).await?;
    }
    Ok(identity)
}

/// Whether what was shown can be of use for any session, as far as that can be said without one.
///
/// # Errors
/// It cannot.
pub async fn check_shown(shown: &Shown, state: &State) -> Result<(), ApiError> {
    let authenticator = state.policy().authenticator.clone();
    authenticator.check_token(shown.token.as_deref()).await.map_err(refused)
}

/// What somebody has shown, for whichever session they will ask.
#[derive(Clone)]
pub struct Shown {
    token: Option<String>,
    address: IpAddr,
    headers: CallerHeaders,
}

impl Shown {
    /// From where they come.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// For one session.
    pub fn to(&self, session: SessionId) -> Credentials {
        let Self { token, address, headers } = self.clone();
        Credentials { token, session, address, headers }
    }
}

/// What a request shows of who sends it.
pub fn shown(request: &HttpRequest, address: IpAddr) -> Shown {
    let headers = request.headers();
    let offers = joined(headers, header::SEC_WEBSOCKET_PROTOCOL, ",");
    let token = credentials::token(text(headers, header::AUTHORIZATION), &offers, request.query_string());
    let sent = |name| text(headers, name).map(str::to_owned);
    let headers = CallerHeaders {
        cookie: Some(joined(headers, header::COOKIE, "; ")).filter(|cookies| !cookies.is_empty()),
        authorization: sent(header::AUTHORIZATION),
        origin: sent(header::ORIGIN),
    };
    Shown { token, address, headers }
}

/// Counts a connection by where it comes from.
///
/// # Errors
/// There are too many.
pub async fn admit_from(shown: &Shown, state: &State) -> Result<(), ApiError> {
    admit(state, AdmitConnect::From(shown.address)).await
}

async fn admit(state: &State, connect: AdmitConnect) -> Result<(), ApiError> {
    match state.node.limiter.connect(connect).await {
        Ok(()) => Ok(()),
        Err(NotAdmitted { because: Because::Unanswered, .. }) => {
            Err(ApiError::unavailable("overloaded", "the server has too much to do", COME_BACK_SECONDS))
        }
        Err(NotAdmitted { refusal: Refusal { message, retry_after_ms, .. }, .. }) => {
            let seconds = retry_after_ms.unwrap_or(1_000).div_ceil(1_000);
            Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message).retry_after(seconds))
        }
    }
}

fn refused(error: AuthError) -> ApiError {
    match error {
        AuthError::Unavailable => ApiError::unavailable("auth_unavailable", error.to_string(), COME_BACK_SECONDS),
        AuthError::Forbidden => ApiError::new(StatusCode::FORBIDDEN, "not_allowed", error.to_string()),
        _ => ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", error.to_string()),
    }
}

/// How a caller has a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is theirs.
    Owned,
    /// What they have shown names it, or nobody owns anything here.
    Named,
    /// Not at all.
    Refused,
}

/// Whether a caller may have a session; the first user of a session owns it.
pub async fn claim(sessions: &dyn SessionRecords, identity: &Identity, session: &SessionId) -> StoreResult<Claim> {
    match identity.session_rule(session) {
        SessionRule::Allowed => Ok(Claim::Named),
        SessionRule::Refused => Ok(Claim::Refused),
        SessionRule::IfUnowned => {
            let is_theirs = sessions.claim(session, &identity.user).await? == identity.user;
            Ok(if is_theirs { Claim::Owned } else { Claim::Refused })
        }
    }
}

/// Whether this caller may have the session; the first user of a session owns it.
///
/// # Errors
/// They may not, or the store is away.
pub async fn claim_session(state: &State, identity: &Identity, session: &SessionId) -> Result<Claim, ApiError> {
    match claim(state.node.stores.sessions.as_ref(), identity, session).await {
        Ok(Claim::Refused) => {
            refusals::session(session.as_str(), identity.user.as_str());
            Err(not_open())
        }
        Ok(claim) => Ok(claim),
        Err(error) => {
            log::debug!(session:%, error:%; "whose a session is was not read");
            Err(store_away())
        }
    }
}

/// The error of a session that is somebody else's.
pub fn not_open() -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "not_allowed", "this session is not open to you")
}

/// Whether this caller would be refused the session. Nobody gets it by being asked about.
pub async fn would_be_refused(state: &State, identity: &Identity, session: &SessionId) -> bool {
    match identity.session_rule(session) {
        SessionRule::Allowed => false,
        SessionRule::Refused => true,
        SessionRule::IfUnowned => {
            let record = state.node.stores.sessions.load(session).await;
            record.is_ok_and(|record| record.owner.is_some_and(|owner| owner != identity.user))
        }
    }
}

/// Holds the session to what this caller has shown, if that is the newest; returns the groups that it has lost by that. Also for a
/// caller who does not stay: the sockets that are there are held to it.
///
/// # Errors
/// The store is away.
pub async fn hold(state: &State, identity: &Identity, session: &SessionId) -> Result<Vec<GroupName>, ApiError> {
    let Some(shown) = &identity.shown else { return Ok(Vec::new()) };
    sophie_actors::cluster::hold_to(&state.node, session, &identity.user, shown).await.map_err(|error| {
        log::debug!(session:%, error:%; "rights were not noted");
        store_away()
    })
}

/// The store is away: come back.
pub fn store_away() -> ApiError {
    ApiError::unavailable("store_unavailable", "the store is away; connect again", COME_BACK_SECONDS)
}

/// A header's value.
pub fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// All values of a header, as one.
pub fn joined(headers: &HeaderMap, name: header::HeaderName, by: &str) -> String {
    headers.get_all(name).filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(by)
}
