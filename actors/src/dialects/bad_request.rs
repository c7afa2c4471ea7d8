//! What is wrong with a request in one of these protocols.

use crate::openai::error::ErrorObject;

/// A request that is not right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadRequest {
    /// The field that is wrong, with its place: `input[2].content[0].type`.
    pub field: String,
    /// One sentence that names it and says what is wrong. Nothing of what was sent is repeated.
    pub message: String,
}

impl BadRequest {
    /// A field is wrong: `what` says what is wrong with it, as the end of a sentence.
    pub fn new(field: impl Into<String>, what: &str) -> Self {
        let field = field.into();
        Self { message: format!("Invalid '{field}': {what}."), field }
    }

    /// A field is of another type than it must be.
    pub fn expected(field: impl Into<String>, what: &str) -> Self {
        Self::new(field, &format!("expected {what}"))
    }

    /// A field is not there.
    pub fn missing(field: impl Into<String>) -> Self {
        let field = field.into();
        Self { message: format!("Missing required parameter: '{field}'."), field }
    }
}

impl From<BadRequest> for ErrorObject {
    fn from(bad: BadRequest) -> Self {
        Self::invalid(&bad.message).about(&bad.field)
    }
}
