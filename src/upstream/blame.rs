//! Whose fault a failed request is. It decides who else is asked, and whether the backend's breaker hears of it.

use sophie_actors::openai::error::Meaning;

use super::fault::Fault;

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The request's: no backend would take it.
    Request,
    /// Nobody's: the backend does not have this model, or no embeddings.
    Model,
    /// The account's, at this backend.
    Account,
    /// Too many requests, to this backend.
    Limit,
    /// The address's: somebody else is there.
    Address,
    /// Too slow.
    Time,
    /// Not to be reached.
    Network,
    /// The backend's own.
    Backend,
}

impl Blame {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Request,
        Self::Model,
        Self::Account,
        Self::Limit,
        Self::Address,
        Self::Time,
        Self::Network,
        Self::Backend,
    ];

    /// Whether another backend may do better.
    pub fn passes_on(self) -> bool {
        self != Self::Request
    }

    /// Whether the backend is at fault. What it refused well, it was there for.
    pub fn counts(self) -> bool {
        !matches!(self, Self::Request | Self::Model)
    }

    /// Its name in metrics.
    pub fn outcome(self) -> &'static str {
        match self {
            Self::Request => "rejected",
            Self::Model => "no_model",
            Self::Account => "account",
            Self::Limit => "limited",
            Self::Address => "address",
            Self::Time => "timeout",
            Self::Network => "unreachable",
            Self::Backend => "failed",
        }
    }
}

impl Fault {
    /// Whose it is.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Connection(_) => Blame::Network,
            Self::Timeout(_) => Blame::Time,
            Self::Unreadable(_) | Self::Broken(_) => Blame::Backend,
            Self::Overlong => Blame::Request,
            Self::NoEmbeddings => Blame::Model,
            Self::Status(..) | Self::Reported(_) => match self.meaning() {
                Meaning::Account => Blame::Account,
                Meaning::Filtered | Meaning::TooLong | Meaning::Rejected => Blame::Request,
                Meaning::NoModel => Blame::Model,
                Meaning::Slow => Blame::Time,
                Meaning::Limited => Blame::Limit,
                Meaning::Elsewhere => Blame::Address,
                Meaning::Down => Blame::Backend,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use sophie_actors::openai::error::ReportedError;

    use super::*;

    #[test]
    fn who_is_at_fault_is_known_by_status_and_code() {
        let status = |status, code: &str| {
            let object = serde_json::json!({ "message": "m" });
            let error = ReportedError { code: code.into(), message: "m".into(), object, ..ReportedError::default() };
            Fault::Status(status, error).blame()
        };
        for code in [400, 404, 413, 422] {
            assert_eq!(status(code, ""), Blame::Request, "{code}");
        }
        assert_eq!(status(404, "model_not_found"), Blame::Model);
        assert_eq!(status(404, "DeploymentNotFound"), Blame::Model);
        assert_eq!(status(429, ""), Blame::Limit);
        assert_eq!(status(429, "insufficient_quota"), Blame::Account);
        assert_eq!((status(401, ""), status(403, "")), (Blame::Account, Blame::Account));
        assert_eq!((status(408, ""), status(409, ""), status(503, "")), (Blame::Time, Blame::Backend, Blame::Backend));
        assert_eq!(status(400, "content_filter"), Blame::Request);
        assert_eq!(
            (status(405, ""), status(307, ""), status(404, "unknown_url")),
            (Blame::Address, Blame::Address, Blame::Address)
        );
        assert_eq!(Fault::NoEmbeddings.blame(), Blame::Model, "chats are answered all the same");
        assert!(Blame::Address.counts() && Blame::Address.passes_on());
        assert!(!Blame::Model.counts() && Blame::Model.passes_on() && !Blame::Request.passes_on());
    }
}
