//! SHA-256 as text: where one name, or one request, stands for a longer one.

use sha2::{Digest, Sha256};

/// Bytes in lower-case hex.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    bytes.as_ref().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

/// 128 bits of SHA-256 in lower-case hex.
pub fn digest(text: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(text.as_ref())[..16])
}
