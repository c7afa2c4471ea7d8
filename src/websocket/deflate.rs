//! `permessage-deflate` (RFC 7692) without takeover of context: each message is compressed by itself, so that one compressor serves all
//! sockets of a thread, and what goes to a thousand members is compressed once.

use std::collections::VecDeque;

use bytes::Bytes;
use bytestring::ByteString;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use sophie_actors::protocol::CloseCode;

/// The name of the extension.
const NAME: &str = "permessage-deflate";
/// What every compressed message would end with, and so none does (RFC 7692, 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// The window that is used unless the client asks for a smaller one, as a power of two.
const LARGEST_WINDOW: u8 = 15;
/// A shorter message goes as it is: compressed it would not fit into fewer packets. In bytes.
const WORTH_COMPRESSING: usize = 256;
/// Messages that are kept compressed, for the other members of their group.
const KEPT: usize = 16;
/// A longer message is not kept, in bytes.
const LARGEST_KEPT: usize = 64 * 1024;
/// By how much a message's room grows while it is inflated, in bytes.
const STEP: usize = 16 * 1024;

/// What was agreed on with one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deflate {
    /// The window for what goes out, as a power of two: 9 to 15.
    window: u8,
}

impl Deflate {
    /// The first offer that can be met, of the values of `Sec-WebSocket-Extensions`.
    pub fn negotiate<'a>(offers: impl Iterator<Item = &'a str>) -> Option<Self> {
        offers.flat_map(|value| value.split(',')).find_map(Self::meet)
    }

    /// Whether this offer can be met. One with anything unknown in it cannot (RFC 7692, 5.1).
    fn meet(offer: &str) -> Option<Self> {
        let mut parts = offer.split(';').map(str::trim);
        if parts.next() != Some(NAME) {
            return None;
        }
        let (mut window, mut seen) = (LARGEST_WINDOW, Vec::new());
        for part in parts {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
                None => (part, None),
            };
            if seen.contains(&name) {
                return None;
            }
            seen.push(name);
            let bits = value.map(|value| value.parse::<u8>().ok().filter(|bits| (8..=LARGEST_WINDOW).contains(bits)));
            match (name, bits) {
                ("server_no_context_takeover" | "client_no_context_takeover", None) => {}
                ("client_max_window_bits", None | Some(Some(_))) => {}
                // Raw deflate knows no window of 2⁸ (zlib's manual, deflateInit2).
                ("server_max_window_bits", Some(Some(bits))) if bits > 8 => window = bits,
                _ => return None,
            }
        }
        Some(Self { window })
    }

    /// What the client is told.
    pub fn answer(self) -> String {
        let mut answer = format!("{NAME}; server_no_context_takeover; client_no_context_takeover");
        if self.window < LARGEST_WINDOW {
            answer.push_str(&format!("; server_max_window_bits={}", self.window));
        }
        answer
    }

    /// A message, compressed by a compressor of its own.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn compress(self, message: &[u8]) -> Vec<u8> {
        Compressor::new(self.window).compress(message)
    }
}

/// Compresses what goes out on one thread.
#[derive(Debug, Default)]
pub(super) struct Deflater {
    compressors: Vec<(u8, Compressor)>,
    /// The last messages that were compressed. Each is held, so that no other one can lie where it lies.
    kept: VecDeque<(ByteString, u8, Bytes)>,
}

impl Deflater {
    /// The message as it goes to a client with whom this was agreed on; `None`: as it is.
    pub(super) fn compress(&mut self, to: Deflate, message: &ByteString) -> Option<Bytes> {
        if message.len() < WORTH_COMPRESSING {
            return None;
        }
        let is_it = |kept: &ByteString| kept.as_ptr() == message.as_ptr() && kept.len() == message.len();
        if let Some((_, _, ready)) = self.kept.iter().find(|(kept, window, _)| is_it(kept) && *window == to.window) {
            return Some(ready.clone());
        }
        let ready = Bytes::from(self.compressor(to.window).compress(message.as_bytes()));
        if message.len() <= LARGEST_KEPT {
            if self.kept.len() == KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back((message.clone(), to.window, ready.clone()));
        }
        Some(ready)
    }

    fn compressor(&mut self, window: u8) -> &mut Compressor {
        let place = self.compressors.iter().position(|(of, _)| *of == window).unwrap_or_else(|| {
            self.compressors.push((window, Compressor::new(window)));
            self.compressors.len() - 1
        });
        &mut self.compressors[place].1
    }
}

#[derive(Debug)]
struct Compressor(Compress);

impl Compressor {
    fn new(window: u8) -> Self {
        Self(Compress::new_with_window_bits(Compression::default(), false, window))
    }

    fn compress(&mut self, message: &[u8]) -> Vec<u8> {
        self.0.reset();
        let mut out = Vec::with_capacity(message.len() / 2 + 64);
        loop {
            let taken = usize::try_from(self.0.total_in()).unwrap_or(usize::MAX).min(message.len());
            let flushed = self.0.compress_vec(&message[taken..], &mut out, FlushCompress::Sync);
            // It has all when it leaves room behind it. There is nothing that memory could be refused for.
            if flushed.is_err() || out.len() < out.capacity() {
                break;
            }
            out.reserve(out.len());
        }
        if out.ends_with(&TAIL) {
            out.truncate(out.len() - TAIL.len());
        }
        out
    }
}

/// Inflates what comes in on one thread.
#[derive(Debug)]
pub(super) struct Inflater(Decompress);

impl Default for Inflater {
    fn default() -> Self {
        Self(Decompress::new(false))
    }
}

impl Inflater {
    /// A whole message, of at most so many bytes.
    ///
    /// # Errors
    /// It is larger, or not compressed at all.
    pub(super) fn inflate(&mut self, compressed: &[u8], most: usize) -> Result<Vec<u8>, CloseCode> {
        self.0.reset(false);
        let mut out = Vec::new();
        for part in [compressed, &TAIL] {
            let before = self.0.total_in();
            loop {
                let taken = usize::try_from(self.0.total_in() - before).unwrap_or(usize::MAX).min(part.len());
                if out.len() == out.capacity() {
                    // One byte more than it may have tells that it has more.
                    out.reserve_exact(STEP.min((most + 1).saturating_sub(out.len())).max(1));
                }
                let status = self.0.decompress_vec(&part[taken..], &mut out, FlushDecompress::Sync);
                if out.len() > most {
                    return Err(CloseCode::TooLarge);
                }
                match status {
                    Err(_) => return Err(CloseCode::ProtocolError),
                    Ok(Status::StreamEnd) => return Ok(out),
                    Ok(_) if out.len() < out.capacity() => break,
                    Ok(_) => {}
                }
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_met_or_passed_over() {
        for (offers, answer) in [
            (&["permessage-deflate"][..], Some("")),
            (&["permessage-deflate; client_max_window_bits"], Some("")),
            (&["x-webkit-deflate-frame, permessage-deflate; client_max_window_bits=10"], Some("")),
            (&["permessage-deflate; server_max_window_bits=\"9\""], Some("; server_max_window_bits=9")),
            (&["permessage-deflate; server_max_window_bits=8", "permessage-deflate"], Some("")),
            (&["permessage-deflate; server_max_window_bits=8"], None),
            (&["permessage-deflate; server_max_window_bits"], None),
            (&["permessage-deflate; server_max_window_bits=16"], None),
            (&["permessage-deflate; client_no_context_takeover=1"], None),
            (&["permessage-deflate; client_max_window_bits; client_max_window_bits"], None),
            (&["permessage-deflate; mystery"], None),
            (&["permessage-bzip2"], None),
            (&[], None),
        ] {
            let expected = answer
                .map(|end| format!("permessage-deflate; server_no_context_takeover; client_no_context_takeover{end}"));
            assert_eq!(Deflate::negotiate(offers.iter().copied()).map(Deflate::answer), expected, "{offers:?}");
        }
    }

    #[test]
    fn what_was_compressed_is_inflated_again() {
        let mut inflater = Inflater::default();
        for window in 9..=15 {
            for length in [0, 1, 255, 5_000, 100_000] {
                let message: Vec<u8> = (0..length).map(|n: u64| (n * n / 7 % 251) as u8).collect();
                let compressed = Deflate { window }.compress(&message);
                assert_eq!(inflater.inflate(&compressed, 100_000), Ok(message), "{window} {length}");
            }
        }
    }

    #[test]
    fn what_one_client_sent_says_nothing_in_the_message_of_the_next() {
        let (mut inflater, deflate) = (Inflater::default(), Deflate { window: 15 });
        let secret = deflate.compress(&b"secret ".repeat(1_000));
        assert_eq!(inflater.inflate(&secret, 100), Err(CloseCode::TooLarge));
        // A copy of the 7 bytes before it (fixed codes, length 7, distance 7): nothing stands before it.
        assert_eq!(inflater.inflate(&[0x82, 0x52, 0x00], 100), Err(CloseCode::ProtocolError));
        let own = deflate.compress(b"own");
        assert_eq!(inflater.inflate(&own, 100), Ok(b"own".to_vec()));
    }

    #[test]
    fn what_goes_to_many_is_compressed_once() {
        let (mut deflater, to) = (Deflater::default(), Deflate { window: 15 });
        let message = ByteString::from("hello ".repeat(100));
        let first = deflater.compress(to, &message).expect("long enough");
        let again = deflater.compress(to, &message.clone()).expect("long enough");
        assert_eq!(first.as_ptr(), again.as_ptr());
        let other = deflater.compress(to, &ByteString::from("hello ".repeat(100))).expect("long enough");
        assert_ne!(first.as_ptr(), other.as_ptr());
        assert_eq!(deflater.compress(to, &ByteString::from("short")), None);
    }
}
