//! What is left of a limit, as clients are told.

/// What is left of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Units that may be taken at once, from full.
    pub limit: u64,
    /// Units that may be taken now.
    pub remaining: u64,
    /// When it is full again, in milliseconds from now.
    pub reset_ms: u64,
}

/// The tightest limits that applied to a request, of each kind; none where none applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// Of requests.
    pub requests: Option<Quota>,
    /// Of tokens.
    pub tokens: Option<Quota>,
}
