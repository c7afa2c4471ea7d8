//! What a connected client may do, as the core sees it; who decides is the edge's affair.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::ids::{GroupName, UserId};
use crate::protocol::Refusal;

/// One client's rights.
#[async_trait]
pub trait Access: Send + Sync + std::fmt::Debug {
    /// Who it is.
    fn user(&self) -> &UserId;
    /// Whether it may join a group.
    fn may_join(&self, group: &GroupName) -> bool;
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
