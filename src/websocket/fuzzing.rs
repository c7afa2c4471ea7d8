//! What must hold of any bytes of a client, in any cut.

use std::cell::RefCell;

use sophie_actors::protocol::CloseCode;

use super::decoder::{Decoder, Step};
use super::deflate::Deflate;
use super::heads::Allowed;
use super::utf8::Utf8;

/// The largest message here, in bytes.
const MOST: usize = 600;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What was said, and what the connection was closed for.
pub(super) type Said = (Vec<String>, Option<CloseCode>);

/// The input's first byte says what is allowed, the next ones how the rest is cut. Messages, and what it is closed for, are the same in
/// any pieces, and none is larger than the bound.
pub fn frames(data: &[u8]) {
    let [allowed, first, second, bytes @ ..] = data else { return };
    let allowed = Allowed { bytes: MOST, binary: allowed & 1 != 0, compressed: allowed & 2 != 0 };
    let whole = said(&[bytes], allowed);
    let lengths = [usize::from(*first), usize::from(*second)];
    assert_eq!(said(&pieces(bytes, lengths), allowed), whole, "in pieces of {lengths:?}");
    assert_eq!(said(&pieces(bytes, [1, 1]), allowed), whole, "byte by byte");
}

/// What a client says is heard, in however many fragments and pieces it comes, and with a ping between them; and what is compressed is
/// inflated to what it was.
pub fn messages(data: &[u8]) {
    let [first, second, fragment, payload @ ..] = data else { return };
    let payload = &payload[..payload.len().min(MOST)];
    let text = std::str::from_utf8(payload).ok();
    let fragments: Vec<&[u8]> = match payload.is_empty() {
        true => vec![payload],
        false => payload.chunks(usize::from(*fragment).max(1)).collect(),
    };
    let mut bytes = Vec::new();
    for (at, part) in fragments.iter().enumerate() {
        let opcode = if at > 0 { 0 } else { 1 };
        put(&mut bytes, opcode | if at + 1 == fragments.len() { 0x80 } else { 0 }, part);
        put(&mut bytes, 0x89, b"?");
    }
    let allowed = Allowed { bytes: MOST, binary: true, compressed: true };
    let (heard, closed) = said(&pieces(&bytes, [usize::from(*first), usize::from(*second)]), allowed);
    let heard: Vec<_> = heard.into_iter().filter(|message| !message.starts_with("Ping")).collect();
    match text {
        Some(text) => assert_eq!((heard, closed), (vec![format!("Text({text:?})")], None)),
        None => assert_eq!((heard.len(), closed), (0, Some(CloseCode::InvalidText))),
    }
    characters(payload, usize::from(*first));

    let mut bytes = Vec::new();
    let deflate = Deflate::negotiate(std::iter::once("permessage-deflate")).expect("offered");
    put(&mut bytes, 0xc2, &deflate.compress(payload));
    if bytes.len() <= MOST {
        assert_eq!(said(&[&bytes], allowed), (vec![format!("Binary({payload:?})")], None));
    }
}

/// An offer of extensions is met or passed over.
pub fn offers(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Some(deflate) = Deflate::negotiate(text.lines())
    {
        assert_eq!(Deflate::negotiate(std::iter::once(&*deflate.answer())), Some(deflate));
    }
}

/// Text is told from what is none as soon as all of it is there.
fn characters(payload: &[u8], length: usize) {
    let mut check = Utf8::default();
    let goes_on = payload.chunks(length.max(1)).all(|piece| check.goes_on(piece));
    assert_eq!(goes_on && check.is_whole(), std::str::from_utf8(payload).is_ok());
}

/// A masked frame.
pub(super) fn put(bytes: &mut Vec<u8>, first: u8, payload: &[u8]) {
    bytes.push(first);
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | short as u8),
        middle => {
            bytes.push(0x80 | 126);
            bytes.extend((middle as u16).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// Pieces of these lengths in turn; of none, a byte.
fn pieces(mut bytes: &[u8], lengths: [usize; 2]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    for length in lengths.into_iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at(length.max(1).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// What is said by bytes that come in these pieces.
pub(super) fn said(pieces: &[&[u8]], allowed: Allowed) -> Said {
    let (mut decoder, inflater) = (Decoder::new(allowed), RefCell::default());
    let mut said = Vec::new();
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut rest = &mut piece[..];
        loop {
            let (taken, step) = match decoder.step(rest, &inflater) {
                Ok(step) => step,
                Err(code) => return (said, Some(code)),
            };
            let mut begun = None;
            match step {
                Step::More => {
                    assert_eq!(taken, rest.len(), "all is taken before more is asked for");
                    break;
                }
                Step::Head(head) => begun = Some(head),
                Step::Frame => {}
                Step::Message(message) => said.push(format!("{message:?}")),
            }
            if let Some(Err(code)) = begun.map(|head| decoder.begin(head)) {
                return (said, Some(code));
            }
            rest = &mut rest[taken..];
        }
    }
    (said, None)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_seeds_of_frames_and_offers_hold() {
        sophie_kit::seeds::play("ws_frames", super::frames);
        sophie_kit::seeds::play("ws_messages", super::messages);
        sophie_kit::seeds::play("ws_offers", super::offers);
    }
}
