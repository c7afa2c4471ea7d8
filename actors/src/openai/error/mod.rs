//! Errors on the wire: what servers that speak this protocol say, in whichever shape, what it means, and what we say ourselves.

mod meaning;
mod object;
mod reported;
mod response;

pub use meaning::Meaning;
pub use object::{ErrorObject, FIELDS, INVALID_REQUEST, RATE_LIMIT, SERVER};
pub use reported::ReportedError;
pub use response::{beginning, is_page};
