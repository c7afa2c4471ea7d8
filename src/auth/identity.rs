//! A caller who was let in: who they are, and what they may do.

use sophie_actors::ids::{GroupName, SessionId, UserId};
use sophie_actors::patterns::Pattern;
use sophie_actors::rights::{Issued, Rights, Shown};

use super::grant::Grant;
use super::jwt::Claims;
use super::unix_now;

/// A caller who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who they are.
    pub user: UserId,
    /// What they have shown of what they may join; `None` for a guest.
    pub shown: Option<Shown>,
    /// The sessions that their token lets them use; `None` is any that nobody else owns. Without meaning for a guest.
    pub sessions: Option<Vec<Pattern>>,
    /// When that ends, in Unix seconds: from this second on it is over.
    pub expires_at: Option<u64>,
    /// What the application says of them, for the model.
    pub context: Option<String>,
    /// Whether nobody had to say who they are (mode none).
    pub guest: bool,
}

/// Whether a caller may use a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionRule {
    /// Yes, whoever owns it.
    Allowed,
    /// No.
    Refused,
    /// Yes, unless another user owns it; who owns nothing yet becomes the owner.
    IfUnowned,
}

impl Identity {
    pub(super) fn guest(session: &SessionId) -> Self {
        Self { user: UserId::guest(session), shown: None, sessions: None, expires_at: None, context: None, guest: true }
    }

    pub(super) fn from_claims(claims: Claims, context: Option<String>) -> Self {
        Self {
            user: UserId::from(claims.sub.as_str()),
            shown: Some(Shown {
                rights: Rights::to(&claims.groups.unwrap_or_default()),
                issued: claims.iat.map_or_else(|| Issued::Now(unix_now()), Issued::At),
                until: Some(claims.exp),
            }),
            sessions: claims.sessions.map(patterns),
            expires_at: Some(claims.exp),
            context,
            guest: false,
        }
    }

    pub(super) fn from_grant(grant: Grant) -> Self {
        let issued = grant.issued();
        Self {
            user: UserId::from(grant.user.as_str()),
            shown: Some(Shown {
                rights: Rights::to(&grant.groups.unwrap_or_default()),
                issued,
                until: grant.expires_at,
            }),
            sessions: grant.sessions.map(patterns),
            expires_at: grant.expires_at,
            context: grant.context,
            guest: false,
        }
    }

    /// Whether a session `own` of this caller may join a group by what this caller has shown: its home group always. A guest joins any
    /// but other sessions' home groups; a token what its patterns match.
    pub fn may_join(&self, group: &GroupName, own: &SessionId) -> bool {
        self.shown.as_ref().map_or_else(|| may_guest_join(group, own), |shown| shown.rights.allow(group, own))
    }

    /// Whether this caller may use a session.
    pub fn session_rule(&self, session: &SessionId) -> SessionRule {
        match &self.sessions {
            _ if self.guest => SessionRule::Allowed,
            None => SessionRule::IfUnowned,
            Some(patterns) if patterns.iter().any(|pattern| pattern.matches(session.as_str())) => SessionRule::Allowed,
            Some(_) => SessionRule::Refused,
        }
    }
}

/// Whether a guest's session `own` may join a group: any but other sessions' home groups.
pub fn may_guest_join(group: &GroupName, own: &SessionId) -> bool {
    group.home_of().is_none_or(|session| session == *own)
}

fn patterns(texts: Vec<String>) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::from(text.as_str())).collect()
}
