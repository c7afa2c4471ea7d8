//! What is said to the registry, and what it asks. Verbs ask, past participles tell.

mod answers;
mod gaps;
mod logs;
mod members;
mod sessions;

pub use answers::*;
pub use gaps::*;
pub use logs::*;
pub use members::*;
pub use sessions::*;
