//! A token's rights, as the core asks for them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sophie_actors::access::Access;
use sophie_actors::ids::{GroupName, SessionId, UserId};
use sophie_actors::protocol::{ErrorCode, Refusal};

use crate::auth::{AuthError, Authenticator, Credentials, Identity};

/// Who is connected, and who can say more.
pub(super) struct TokenAccess {
    identity: Identity,
    session: SessionId,
    address: IpAddr,
    authenticator: Arc<Authenticator>,
}

impl TokenAccess {
    pub(super) fn new(identity: Identity, session: SessionId, address: IpAddr, by: Arc<Authenticator>) -> Self {
        Self { identity, session, address, authenticator: by }
    }
}

impl std::fmt::Debug for TokenAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TokenAccess").field(&self.identity.user).finish()
    }
}

#[async_trait]
impl Access for TokenAccess {
    fn user(&self) -> &UserId {
        &self.identity.user
    }

    fn may_join(&self, group: &GroupName) -> bool {
        self.identity.may_join(group, &self.session)
    }

    fn expires_in(&self) -> Option<Duration> {
        self.identity.expires_at.map(|at| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            Duration::from_secs(at).saturating_sub(now)
        })
    }

    async fn refresh(&self, token: &str) -> Result<Arc<dyn Access>, Refusal> {
        if self.identity.guest {
            return Err(Refusal::new(
                ErrorCode::BadRequest,
                "this service uses no tokens; there is nothing to refresh",
            ));
        }
        let credentials =
            Credentials { token: Some(token.to_owned()), session: self.session.clone(), address: self.address };
        let identity = self.authenticator.authenticate(credentials).await.map_err(|error| match error {
            AuthError::Unavailable => {
                Refusal { retry_after_ms: Some(2_000), ..Refusal::new(ErrorCode::StoreUnavailable, error.to_string()) }
            }
            _ => Refusal::new(ErrorCode::NotAllowed, error.to_string()),
        })?;
        if identity.user != self.identity.user {
            return Err(Refusal::new(ErrorCode::NotAllowed, "the token is for another user; connect anew with it"));
        }
        Ok(Arc::new(Self {
            identity,
            session: self.session.clone(),
            address: self.address,
            authenticator: self.authenticator.clone(),
        }))
    }
}
