//! A caller's rights, as the core asks for them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sophie_actors::ids::{GroupName, UserId};
use sophie_actors::in_force::InForce;
use sophie_actors::protocol::{ErrorCode, Refusal};
use sophie_actors::rights::Shown;
use sophie_actors::socket::Access;
use sophie_actors::store::SessionRecords;

use crate::auth::{AuthError, Credentials, Freshness, Identity};
use crate::http::Policy;
use crate::http::visitor::{Claim, claim};

/// Who is connected and has shown by what, and who can say more.
#[derive(Clone)]
pub(super) struct CallerAccess {
    pub(super) identity: Identity,
    /// What was shown at the handshake.
    pub(super) shown: Credentials,
    pub(super) claim: Claim,
    /// What the session has lost by that.
    pub(super) lost: Vec<GroupName>,
    /// Who says what new credentials are worth, at the time.
    pub(super) in_force: InForce<Policy>,
    pub(super) sessions: Arc<dyn SessionRecords>,
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

    fn rights(&self) -> Option<&Shown> {
        self.identity.shown.as_ref()
    }

    fn owns(&self) -> bool {
        self.claim == Claim::Owned
    }

    fn lost(&self) -> &[GroupName] {
        &self.lost
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
        // A caller who shows a token in place of what they showed before; an empty one leaves what the browser sent.
        let token = Some(token.to_owned()).filter(|token| !token.is_empty()).or_else(|| self.shown.token.clone());
        let shown = Credentials { token, ..self.shown.clone() };
        let authenticator = self.in_force.get().authenticator.clone();
        let identity =
            authenticator.authenticate(shown.clone(), Freshness::Anew).await.map_err(|error| match error {
                AuthError::Unavailable => Refusal {
                    retry_after_ms: Some(2_000),
                    ..Refusal::new(ErrorCode::StoreUnavailable, error.to_string())
                },
                _ => Refusal::new(ErrorCode::NotAllowed, error.to_string()),
            })?;
        if identity.user != self.identity.user {
            return Err(Refusal::new(ErrorCode::NotAllowed, "this is for another user; connect anew with it"));
        }
        // Whether they may have this session is asked as at a connect: what is new may say less.
        let claim = claim(self.sessions.as_ref(), &identity, &shown.session).await.map_err(|error| {
            log::debug!(session:% = shown.session, error:%; "whose a session is was not read");
            Refusal::store_unavailable()
        })?;
        if claim == Claim::Refused {
            return Err(Refusal::new(ErrorCode::NotAllowed, "this session is not open to you by that"));
        }
        Ok(Arc::new(Self { identity, shown, claim, lost: Vec::new(), ..self.clone() }))
    }
}
