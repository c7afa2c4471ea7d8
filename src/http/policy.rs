//! Whom this node lets in, and who answers there: what handlers look up for each request, since it changes when the settings are read again.

use std::sync::Arc;
use std::time::Duration;

use super::PageConfig;
use crate::auth::Authenticator;
use crate::auth::bearer::{ApiKeys, KeyHolder, Operators};
use crate::auth::doors::Doors;
use crate::auth::origin::OriginRule;
use crate::upstream::Router;

/// What the settings say now of those who come.
pub struct Policy {
    /// Who is let in.
    pub authenticator: Arc<Authenticator>,
    /// Which pages may connect.
    pub origins: OriginRule,
    /// What stands open, and to whom.
    pub doors: Doors,
    /// The operators' tokens.
    pub operators: Operators,
    /// The applications' keys.
    pub api_keys: ApiKeys,
    /// Whether applications need no key: nobody needs one here, and only this machine can ask.
    pub open_to_applications: bool,
    /// The AI backends, unless the demo answers.
    pub router: Option<Arc<Router>>,
    /// What prices are in.
    pub currency: String,
    /// How long a stream waits for its first piece until it begins without.
    pub headers_within: Duration,
    /// What the chat page is told.
    pub page: PageConfig,
}

impl Policy {
    /// Who came in as this holder, as the settings have it now; nobody, if its key is there no more.
    pub fn holder_now(&self, holder: &KeyHolder) -> Option<&Arc<KeyHolder>> {
        if holder.digest.is_empty() {
            return Some(self.api_keys.anybody()).filter(|_| self.api_keys.is_empty() && self.open_to_applications);
        }
        self.api_keys.of_digest(&holder.digest)
    }
}
