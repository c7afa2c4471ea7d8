//! Why a caller is not let in.

/// Why a caller is not let in. The texts are for the client; nothing of the token is in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No token where one is needed.
    #[error("a token is needed: send it as Authorization: Bearer, as subprotocol bearer.T or as ?token=")]
    Missing,
    /// A token that is not good; the text says why.
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
    /// A token whose time has passed.
    #[error("the token has expired: get a new one")]
    Expired,
    /// The application does not know them.
    #[error("the application does not know you: log in there first")]
    Unknown,
    /// The application knows them and does not let them in.
    #[error("the application does not let you in here")]
    Forbidden,
    /// It cannot be told now: the keys cannot be fetched, or the application does not answer.
    #[error("who you are cannot be checked at the moment: try again")]
    Unavailable,
}

impl AuthError {
    /// In the words of the log.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Missing => "no token",
            Self::Invalid(why) => why,
            Self::Expired => "it has expired",
            Self::Unknown => "the application does not know the caller",
            Self::Forbidden => "the application does not let the caller in",
            Self::Unavailable => "it cannot be checked at the moment",
        }
    }
}
