//! What must hold of the stream of a backend, however the network cuts it.

use bytes::Bytes;
use futures_util::{FutureExt, stream};

use super::sse::{SseEvent, SseEvents, SseFault};
use super::utf8::Mender;

/// More than any input here.
const MOST: usize = 1024 * 1024;
/// Less than many.
const FEW: usize = 64;

/// A text in pieces: the input's first byte says how many lengths follow, which are taken in turn.
fn pieces(data: &[u8]) -> Option<(&[u8], Vec<Bytes>)> {
    let (count, rest) = data.split_first()?;
    let (lengths, text) = rest.split_at_checked(usize::from(count % 8) + 1)?;
    let (mut left, mut pieces) = (text, Vec::new());
    for length in lengths.iter().cycle() {
        if left.is_empty() {
            break;
        }
        // A length of 0 is a piece without bytes, unless all are.
        let length = if lengths.iter().all(|it| *it == 0) { 1 } else { usize::from(*length) };
        let (piece, rest) = left.split_at(length.min(left.len()));
        pieces.push(Bytes::copy_from_slice(piece));
        left = rest;
    }
    Some((text, pieces))
}

fn read(pieces: Vec<Bytes>, most: usize) -> Vec<Result<SseEvent, SseFault>> {
    let mut events = SseEvents::new(stream::iter(pieces.into_iter().map(Ok)), most);
    let mut all = Vec::new();
    while let Some(event) = events.next().now_or_never().expect("all pieces are there") {
        let is_fault = event.is_err();
        all.push(event);
        if is_fault {
            break;
        }
    }
    all
}

/// Events are the same in any pieces, none is longer than the bound, and each has its data on one line.
pub fn events(data: &[u8]) {
    let Some((text, pieces)) = pieces(data) else { return };
    let whole = read(vec![Bytes::copy_from_slice(text)], MOST);
    assert_eq!(read(pieces.clone(), MOST), whole);
    for event in whole.iter().flatten() {
        assert!(!event.data.trim().is_empty() && !event.data.contains('\n'), "{:?}", event.data);
    }
    for event in read(pieces, FEW).iter().flatten() {
        // Of a byte that is no character there is a sign of three.
        assert!(event.data.len() <= 3 * FEW, "{} bytes: {:?}", event.data.len(), event.data);
    }
}

/// What is mended is the same in any pieces, and what is text stays as it is.
pub fn characters(data: &[u8]) {
    let Some((text, pieces)) = pieces(data) else { return };
    let mend = |pieces: Vec<Bytes>| {
        let mut mender = Mender::default();
        let mut all: Vec<u8> = pieces.into_iter().flat_map(|piece| mender.mend(piece)).collect();
        all.extend(mender.rest());
        all
    };
    let whole = mend(vec![Bytes::copy_from_slice(text)]);
    assert_eq!(mend(pieces), whole);
    assert!(std::str::from_utf8(text).is_err() || whole == text, "a text is changed");
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_seeds_of_streams_hold() {
        sophie_kit::seeds::play("backend_events", super::events);
        sophie_kit::seeds::play("backend_events", super::characters);
    }
}
