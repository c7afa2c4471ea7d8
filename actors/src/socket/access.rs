//! What a connected client may do, as the core sees it; who decides is the edge's affair.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::ids::{GroupName, UserId};
use crate::protocol::Refusal;
use crate::rights::Shown;

/// One client's rights.
#[async_trait]
pub trait Access: Send + Sync + std::fmt::Debug {
    /// Who it is.
    fn user(&self) -> &UserId;
    /// Whether nobody vouches for who it is: it shares the limits of its address.
    fn is_guest(&self) -> bool {
        false
    }
    /// Whether it may join a group, as far as it says itself. Where it has [`Self::rights`], those of its session decide.
    fn may_join(&self, group: &GroupName) -> bool;
    /// What it has shown of what it may join; `None` for a guest.
    fn rights(&self) -> Option<&Shown> {
        None
    }
    /// Whether it has its session by owning it.
    fn owns(&self) -> bool {
        false
    }
    /// The groups that its session has lost by what it has shown when it came, to be told to it.
    fn lost(&self) -> &[GroupName] {
        &[]
    }
    /// What the application says of it, for the model.
    fn context(&self) -> Option<&str> {
        None
    }
    /// How long its token is still good; `None` without an end.
    fn expires_in(&self) -> Option<Duration>;
    /// Rights by a new token for the same user.
    ///
    /// # Errors
    /// The token is no good, or for somebody else.
    async fn refresh(&self, token: &str) -> Result<Arc<dyn Access>, Refusal>;
}
