//! Messages as they lie in Redis: the site's serializer, encryption, and what makes equal ones distinct.

use std::time::{SystemTime, UNIX_EPOCH};

use rand::RngExt;

use super::fernet::Fernet;
use super::{Fields, LayerOptions, Serializer, wire};

/// Bytes before each stored message of the core layer, which make equal messages distinct.
pub(super) const PREFIX: usize = 12;

/// Why some bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// No map in the serializer's format.
    Bad,
    /// No token of ours, or one that is too old or from the future.
    Undecryptable,
}

/// Between messages and what Redis holds.
pub(super) struct Codec {
    serializer: Serializer,
    keys: Vec<Fernet>,
}

impl Codec {
    pub(super) fn new(options: &LayerOptions) -> Self {
        let keys = options.encryption_keys.iter().map(|key| Fernet::new(key)).collect();
        Self { serializer: options.serializer, keys }
    }

    pub(super) fn encrypts(&self) -> bool {
        !self.keys.is_empty()
    }

    /// A message's bytes: serialized, and encrypted with the first key if there is one.
    pub(super) fn seal(&self, fields: &Fields) -> Vec<u8> {
        let plain = wire::encode(fields, self.serializer);
        match self.keys.first() {
            Some(key) => key.encrypt(&plain, now_seconds(), rand::rng().random()).into_bytes(),
            None => plain,
        }
    }

    /// Back from [`Codec::seal`]. Tokens older than `ttl` seconds are refused; without one, age does not count.
    pub(super) fn open(&self, bytes: &[u8], ttl: Option<u64>) -> Result<Fields, Unreadable> {
        self.open_at(bytes, now_seconds(), ttl)
    }

    pub(super) fn open_at(&self, bytes: &[u8], now: u64, ttl: Option<u64>) -> Result<Fields, Unreadable> {
        if self.keys.is_empty() {
            return wire::decode(bytes, self.serializer).ok_or(Unreadable::Bad);
        }
        let plain = self.keys.iter().find_map(|key| key.decrypt(bytes, now, ttl)).ok_or(Unreadable::Undecryptable)?;
        wire::decode(&plain, self.serializer).ok_or(Unreadable::Bad)
    }
}

/// Unix seconds.
pub(super) fn now_seconds() -> u64 {
    now_micros() / 1_000_000
}

/// Unix microseconds.
pub(super) fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
