//! At most one typing notice a second and group is passed on.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::ids::{GroupName, SessionId};
use crate::protocol::CommandBody;

/// The least time between two notices that are passed on.
const EVERY: Duration = Duration::from_secs(1);

/// When the last notices were passed on.
#[derive(Debug, Default)]
pub(super) struct Typing(HashMap<GroupName, Instant>);

impl Typing {
    /// Whether `command`, if it is a typing notice, may be passed on now.
    pub(super) fn gate(&mut self, command: &CommandBody, session: &SessionId) -> bool {
        let CommandBody::Typing(group) = command else { return false };
        let now = Instant::now();
        self.0.retain(|_, at| now.duration_since(*at) < EVERY);
        let group = group.clone().unwrap_or_else(|| session.home());
        let may_pass = !self.0.contains_key(&group);
        if may_pass {
            self.0.insert(group, now);
        }
        may_pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_notice_a_second_and_group_passes() {
        let session = SessionId::parse("s").expect("legal");
        let other = Some(GroupName::parse("team").expect("legal"));
        let mut typing = Typing::default();
        assert!(typing.gate(&CommandBody::Typing(None), &session));
        assert!(!typing.gate(&CommandBody::Typing(None), &session));
        assert!(typing.gate(&CommandBody::Typing(other), &session));
        tokio::time::advance(EVERY).await;
        assert!(typing.gate(&CommandBody::Typing(None), &session));
    }
}
