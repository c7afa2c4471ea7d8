//! Fernet tokens: AES-128-CBC with HMAC-SHA256, as Python's `cryptography` writes them.

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The format's only version.
const VERSION: u8 = 0x80;
/// Version, time, IV.
const HEAD: usize = 1 + 8 + 16;
/// Bytes of the HMAC.
const MAC: usize = 32;
/// Seconds that a token may be from the future (`cryptography`'s constant).
const MAX_SKEW: u64 = 60;

/// One key of the layer.
#[derive(Clone)]
pub(super) struct Fernet {
    signing: [u8; 16],
    encryption: [u8; 16],
}

impl Fernet {
    /// The key that channels_redis makes from a text: its SHA-256.
    pub(super) fn new(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let (mut signing, mut encryption) = ([0; 16], [0; 16]);
        signing.copy_from_slice(&digest[..16]);
        encryption.copy_from_slice(&digest[16..]);
        Self { signing, encryption }
    }

    /// A token made at `now` (Unix seconds).
    pub(super) fn encrypt(&self, plain: &[u8], now: u64, iv: [u8; 16]) -> String {
        let mut token = Vec::with_capacity(HEAD + plain.len() + 16 + MAC);
        token.push(VERSION);
        token.extend(now.to_be_bytes());
        token.extend(iv);
        let cipher = cbc::Encryptor::<Aes128>::new(&self.encryption.into(), &iv.into());
        token.extend(cipher.encrypt_padded_vec::<Pkcs7>(plain));
        let mac = self.mac(&token).finalize().into_bytes();
        token.extend(mac);
        URL_SAFE.encode(token)
    }

    /// What a token holds. `None`: another key's, damaged, or (with a `ttl` in seconds) too old or from the future.
    pub(super) fn decrypt(&self, token: &[u8], now: u64, ttl: Option<u64>) -> Option<Vec<u8>> {
        let token = URL_SAFE.decode(token).ok()?;
        let (signed, mac) = token.split_at_checked(token.len().checked_sub(MAC)?)?;
        let (head, body) = signed.split_at_checked(HEAD)?;
        if head[0] != VERSION {
            return None;
        }
        let made = u64::from_be_bytes(head[1..9].try_into().ok()?);
        if let Some(ttl) = ttl
            && (made.saturating_add(ttl) < now || made > now.saturating_add(MAX_SKEW))
        {
            return None;
        }
        self.mac(signed).verify_slice(mac).ok()?;
        let iv: [u8; 16] = head[9..].try_into().ok()?;
        let cipher = cbc::Decryptor::<Aes128>::new(&self.encryption.into(), &iv.into());
        cipher.decrypt_padded_vec::<Pkcs7>(body).ok()
    }

    fn mac(&self, signed: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.signing).expect("HMAC takes keys of any length");
        mac.update(signed);
        mac
    }
}
