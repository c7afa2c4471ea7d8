//! Asking the application once, as nobody, for whoever wants to know whether it answers as it should.

use std::net::{IpAddr, Ipv4Addr};

use sophie_actors::ids::SessionId;

use super::{CallerHeaders, Hook, Verdict};

/// The session that is asked about. Nobody has it.
const SESSION: &str = "sophie-check";

impl Hook {
    /// What the application says of somebody without cookies and token. Nothing is kept of it.
    ///
    /// # Errors
    /// Why that is no answer.
    pub async fn try_once(&self) -> Result<Verdict, String> {
        let session = SessionId::parse(SESSION).map_err(|bad| bad.to_string())?;
        self.exchange(&session, IpAddr::V4(Ipv4Addr::LOCALHOST), &CallerHeaders::default()).await
    }
}
