//! A caller's rights, as the core asks for them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sophie_actors::access::Access;
use sophie_actors::ids::{GroupName, UserId};
use sophie_actors::protocol::{ErrorCode, Refusal};

use crate::auth::{Ask, AuthError, Authenticator, Credentials, Identity};

/// Who is connected, and who can say more.
pub(super) struct CallerAccess {
    identity: Identity,
    /// What was shown at the handshake.
    shown: Credentials,
    authenticator: Arc<Authenticator>,
}

impl CallerAccess {
    pub(super) fn new(identity: Identity, shown: Credentials, by: Arc<Authenticator>) -> Self {
        Self { identity, shown, authenticator: by }
    }
}

impl std::fmt::Debug for CallerAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CallerAccess").field(&self.identity.user).finish()
    }
}

#[async_trait]
impl Access for CallerAccess {
    fn user(&self) -> &UserId {
        &self.identity.user
    }

    fn may_join(&self, group: &GroupName) -> bool {
        self.identity.may_join(group, &self.shown.session)
    }

    fn context(&self) -> Option<&str> {
        self.identity.context.as_deref()
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
        // A caller who shows a token in place of what they showed before; an empty one leaves what the browser sent.
        let token = Some(token.to_owned()).filter(|token| !token.is_empty()).or_else(|| self.shown.token.clone());
        let shown = Credentials { token, ..self.shown.clone() };
        let identity =
            self.authenticator.authenticate(shown.clone(), Ask::Anew).await.map_err(|error| match error {
                AuthError::Unavailable => Refusal {
                    retry_after_ms: Some(2_000),
                    ..Refusal::new(ErrorCode::StoreUnavailable, error.to_string())
                },
                _ => Refusal::new(ErrorCode::NotAllowed, error.to_string()),
            })?;
        if identity.user != self.identity.user {
            return Err(Refusal::new(ErrorCode::NotAllowed, "this is for another user; connect anew with it"));
        }
        Ok(Arc::new(Self { identity, shown, authenticator: self.authenticator.clone() }))
    }
}
