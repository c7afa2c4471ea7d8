//! Chat completions in the words of OpenAI's Responses, for backends that know those: what is asked, and what comes back. Pure.

mod asking;
mod reading;

pub use asking::from_chat;
pub use reading::ResponseReader;
