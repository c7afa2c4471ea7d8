//! OpenAI's words: requests, chunks, whole answers, errors and models as they stand on the wire, whoever sends them. What is read is
//! read with tolerance, since many servers speak this protocol; what nobody here has to understand stays as it came. Pure.

mod body;
pub mod canonical;
mod chat_message;
mod choices;
mod chunk;
pub mod completion;
pub mod embeddings;
mod endpoint;
pub mod error;
mod finish;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod halves;
mod json;
pub mod models;
pub mod named_models;
mod piece;
mod question;
mod reasoning;
pub mod request;
mod responses_api;
pub mod stream_options;
mod text_completion;
mod token_counts;
mod tokens;
pub mod traced;

pub use body::{BadBody, Body, MOST_DEPTH};
pub use chat_message::{CalledFunction, ChatMessage, Content, File, ImageUrl, MessagePart, ToolCall};
pub use choices::Choices;
pub use chunk::{BadChunk, Chunk, ChunkWriter, DONE, Parsed};
pub use endpoint::{Api, Endpoint};
pub use finish::Finish;
pub use halves::Halves;
pub use json::{each_element, each_field, quoted};
pub use piece::{CallPiece, Piece, RESPONSE_ITEM};
pub use question::{Question, read_model, read_object};
pub use request::BackendRequest;
pub use responses_api::ResponseReader;
pub use text_completion::{TextForm, TextQuestion};
pub use token_counts::TokenCounts;
pub use tokens::{TOKENS_PER_MESSAGE, TOKENS_PER_PART, Weight, estimate_prompt_tokens, estimate_tokens, is_plausible};
