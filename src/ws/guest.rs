//! A guest's rights: nobody had to say who they are, so there is nothing to show and nothing that ends.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sophie_actors::ids::{GroupName, SessionId, UserId};
use sophie_actors::protocol::{ErrorCode, Refusal};
use sophie_actors::socket::Access;

use crate::auth::may_guest_join;

/// A guest of a session.
#[derive(Debug)]
pub(super) struct GuestAccess {
    pub(super) user: UserId,
    pub(super) session: SessionId,
}

#[async_trait]
impl Access for GuestAccess {
    fn user(&self) -> &UserId {
        &self.user
    }

    fn is_guest(&self) -> bool {
        true
    }

    fn may_join(&self, group: &GroupName) -> bool {
        may_guest_join(group, &self.session)
    }

    fn expires_in(&self) -> Option<Duration> {
        None
    }

    async fn refresh(&self, _: &str) -> Result<Arc<dyn Access>, Refusal> {
        Err(Refusal::new(ErrorCode::BadRequest, "this service uses no tokens; there is nothing to refresh"))
    }
}
