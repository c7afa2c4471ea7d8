//! Whether what comes in pieces is UTF-8, told as soon as it cannot be (RFC 6455, 8.1). Pure.

/// The check of one text.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Utf8 {
    /// The beginning of a character whose rest has not come.
    open: [u8; 4],
    have: u8,
}

impl Utf8 {
    /// Whether the text may go on so.
    pub(super) fn goes_on(&mut self, mut piece: &[u8]) -> bool {
        while self.have > 0 {
            let Some((next, rest)) = piece.split_first() else { return true };
            self.open[usize::from(self.have)] = *next;
            self.have += 1;
            piece = rest;
            match std::str::from_utf8(&self.open[..usize::from(self.have)]) {
                Ok(_) => self.have = 0,
                Err(fault) if fault.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        let Err(fault) = std::str::from_utf8(piece) else { return true };
        if fault.error_len().is_some() {
            return false;
        }
        let open = &piece[fault.valid_up_to()..];
        self.open[..open.len()].copy_from_slice(open);
        // A character that is not whole has at most three bytes.
        self.have = open.len() as u8;
        true
    }

    /// Whether the text may end here.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn is_whole(self) -> bool {
        self.have == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bytes pass, one at a time, before it is told; `None` if all do and the text may end.
    fn told_at(bytes: &[u8]) -> Option<usize> {
        let mut check = Utf8::default();
        let place = bytes.iter().position(|byte| !check.goes_on(std::slice::from_ref(byte)));
        place.or_else(|| (!check.is_whole()).then_some(bytes.len()))
    }

    #[test]
    fn a_text_passes_however_it_is_cut() {
        let text = "aé€😀\u{10ffff}".as_bytes();
        assert_eq!(told_at(text), None);
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let mut check = Utf8::default();
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                assert!(pieces.iter().all(|piece| check.goes_on(piece)) && check.is_whole(), "{first} {second}");
            }
        }
    }

    #[test]
    fn what_is_none_is_told_at_the_first_byte_that_says_so() {
        for (bytes, place) in [
            (&b"ab\xff"[..], 2),
            (b"\x80", 0),
            (b"\xc0\xaf", 0),
            (b"\xed\xa0\x80", 1),
            (b"\xf4\x90\x80\x80", 1),
            (b"\xce\xba\xe1\xbd\xf4", 4),
            (b"\xe2\x82", 2),
        ] {
            assert_eq!(told_at(bytes), Some(place), "{bytes:x?}");
        }
    }
}
