//! Why a store did not do as asked: known below the stores too, where the connections are.

/// Why the store could not do as asked. Clients see `store_unavailable`; the log sees this.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// No answer within the time budget, or refused at once because the store is known to be away.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// An answer that makes no sense: a wrong type under one of our keys, say.
    #[error("the store answered wrongly: {0}")]
    Corrupt(String),
}

/// What every store call returns.
pub type StoreResult<T> = Result<T, StoreError>;
