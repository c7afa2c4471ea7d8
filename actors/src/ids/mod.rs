//! Names and identities, as newtypes that are parsed at the edge and trusted inside.

#[macro_use]
mod text_id;

mod digest;
mod given;
mod names;
mod node_key;
mod request_id;

use rand::RngExt;

pub use digest::{digest, hex};
pub use given::{AnswerId, Epoch, MessageId, NodeId, SocketId};
pub use names::{BadName, CommandId, GroupName, SessionId, UserId};
pub use node_key::{NAME_LIMIT, NodeKey, SESSION_CHANNEL, local_name};
pub use request_id::RequestId;

/// `length` random characters of `a-z 0-9`.
pub fn random_text(length: usize) -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut rng = rand::rng();
    (0..length).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect()
}

/// A text cut to at most so many bytes, between two characters.
pub fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.map_or("", |end| &text[..end])
}
