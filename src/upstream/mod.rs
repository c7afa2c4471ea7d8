//! The AI backends over HTTP: any servers that speak OpenAI's chat completions. [`OpenAi`] is one of them, [`Router`] all of them.

mod answer;
mod blame;
mod body;
mod breaker;
mod call;
mod clock;
mod fault;
mod fleet;
mod form;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod member;
mod models;
mod openai;
mod operation;
mod options;
mod pooled;
mod refusal;
mod request;
mod retry;
mod router;
mod secrets;
mod sse;
mod succession;
mod told;
mod traced;
mod utf8;
mod whole;
mod words;

pub use breaker::Patience;
pub use member::{BackendView, LastError, MemberOptions};
pub use openai::{OpenAi, Trouble, Unusable};
pub use options::{BadOptions, OpenAiOptions};
pub use request::{DEFAULT_BASE_URL, is_loopback};
pub use router::{Router, RouterOptions};
pub use secrets::BackendKey;
pub use succession::BadMember;
