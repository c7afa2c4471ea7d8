//! Errors on the wire: what servers that speak this protocol say, in whichever shape, and what it means.

mod meaning;
mod reported;
mod response;

pub use meaning::Meaning;
pub use reported::ReportedError;
pub use response::{beginning, is_page};
