//! Who is refused before anything is done for them, and why: told in the log, the first of each kind at once, a crowd by its number.
//! Never what they showed.

use std::net::IpAddr;

use actix_web::http::header::{HeaderMap, ORIGIN};
use log::Level;
use sophie_actors::repeated::{Line, Repeated};

/// Operators know the lines by this target, whichever file they come from.
static REFUSED: Repeated = Repeated::of("sophie::refused", Level::Info);

/// Characters of what a stranger sent that are shown.
const MAX_SHOWN: usize = 100;

/// An operator without the admin token, or with a wrong one.
pub fn operator(shown: bool, address: IpAddr) {
    let reason = if shown { "the admin token is wrong" } else { "no admin token" };
    REFUSED.log(reason, || {
        Line::of("admin_refused", "an operator is refused").with("reason", reason).with("address", address)
    });
}

/// An application without an API key, or with a wrong one.
pub fn application(shown: bool, address: IpAddr) {
    let reason = if shown { "the API key is wrong" } else { "no API key" };
    REFUSED.log(reason, || {
        Line::of("key_refused", "an application is refused").with("reason", reason).with("address", address)
    });
}

/// A page of an origin that may not ask.
pub fn origin(headers: &HeaderMap, address: IpAddr) {
    REFUSED.log("origin", || {
        let origin = headers.get(ORIGIN).map(|origin| String::from_utf8_lossy(origin.as_bytes()));
        let shown: String = origin.unwrap_or_default().chars().take(MAX_SHOWN).collect();
        let line = Line::of("origin_refused", "a page of another origin is refused").with("origin", shown);
        line.with("setting", "server.allowed_origins").with("address", address)
    });
}

/// A session that is somebody else's.
pub fn session(session: &str, user: &str) {
    REFUSED.log("session", || {
        Line::of("session_refused", "a session is not open to who asks for it")
            .with("session", session)
            .with("user", user)
    });
}

/// A handshake for a WebSocket, for what is wrong with it or with the state of this node; `kind` is the code of the refusal.
pub fn handshake(kind: &'static str, reason: &str, address: IpAddr) {
    REFUSED.log(kind, || {
        let line = Line::of("handshake_refused", "a WebSocket is refused").with("code", kind);
        line.with("reason", reason).with("address", address)
    });
}
