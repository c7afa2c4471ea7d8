//! Text completions, the form of OpenAI's API before there were chats: a prompt is a chat's one message (question), and its answer is
//! told in the old words (form).

mod form;
mod question;

pub use form::TextForm;
pub use question::TextQuestion;
