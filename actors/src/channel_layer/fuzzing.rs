//! What must hold of any bytes that lie in Redis where Django's messages do.

use super::fernet::Fernet;
use super::{Serializer, wire};

/// When the tokens here are made, in Unix seconds.
const NOW: u64 = 1_800_000_000;
/// How old they may be.
const TTL: u64 = 60;

/// What can be read is written so that it reads the same, by either serializer.
pub fn message(data: &[u8]) {
    for serializer in [Serializer::Json, Serializer::Msgpack] {
        if let Some(fields) = wire::decode(data, serializer) {
            let written = wire::encode(&fields, serializer);
            assert_eq!(wire::decode(&written, serializer), Some(fields), "{serializer:?}");
        }
    }
}

/// What was encrypted is read by its key alone, as long as it is young, and not with a byte changed; and no bytes that come from
/// elsewhere are a token.
pub fn token(data: &[u8]) {
    let [at, by, iv, plain @ ..] = data else { return };
    let (key, other) = (Fernet::new("a key"), Fernet::new("another"));
    assert_eq!(key.decrypt(data, NOW, None), None, "nobody without the key makes a token");
    let token = key.encrypt(plain, NOW, [*iv; 16]);
    assert_eq!(key.decrypt(token.as_bytes(), NOW + TTL, Some(TTL)).as_deref(), Some(plain));
    assert_eq!(key.decrypt(token.as_bytes(), NOW + TTL + 1, Some(TTL)), None, "too old");
    assert_eq!(key.decrypt(token.as_bytes(), NOW - TTL - 1, Some(TTL)), None, "from the future");
    assert_eq!(other.decrypt(token.as_bytes(), NOW, None), None, "another's");
    let mut changed = token.into_bytes();
    let at = usize::from(*at) * changed.len() / 256;
    changed[at] ^= (*by).max(1);
    assert_eq!(key.decrypt(&changed, NOW, None), None, "changed at {at}");
    changed.truncate(at);
    assert_eq!(key.decrypt(&changed, NOW, None), None, "cut at {at}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_seeds_of_messages_and_tokens_hold() {
        sophie_kit::seeds::play("layer_messages", super::message);
        sophie_kit::seeds::play("layer_tokens", super::token);
    }
}
