//! An answer as one body, `chat.completion`, and as the chunks of a stream, `chat.completion.chunk`: each out of the other.

mod from_chunks;
#[cfg(test)]
mod tests;
mod to_chunk;

pub use from_chunks::from_chunks;
pub use to_chunk::{BadCompletion, to_chunk};
