//! Characters that a backend has cut between two texts, byte by byte: models write tokens, and a token may end within a character. The
//! beginning of one directly before a closing quotation mark, and its rest directly after an opening one further on, are put together
//! there. Pure.

use bytes::Bytes;

/// Puts cut characters together in a stream of bytes. What it cannot explain stays as it is.
#[derive(Debug, Default)]
pub struct Mender {
    /// The end of the last piece: a character of which more may come with the next one.
    open: Vec<u8>,
    /// The bytes of a character that ended a text too early.
    cut: Vec<u8>,
    /// The last byte that was given out.
    last: u8,
}

impl Mender {
    /// The next piece.
    pub fn mend(&mut self, piece: Bytes) -> Bytes {
        if self.open.is_empty() && self.cut.is_empty() && std::str::from_utf8(&piece).is_ok() {
            self.last = piece.last().copied().unwrap_or(self.last);
            return piece;
        }
        let input = [std::mem::take(&mut self.open).as_slice(), &piece].concat();
        let mut mended = Vec::with_capacity(input.len() + 4);
        let mut rest = input.as_slice();
        while !rest.is_empty() {
            let Err(fault) = std::str::from_utf8(rest) else {
                mended.extend_from_slice(rest);
                break;
            };
            let (good, odd) = rest.split_at(fault.valid_up_to());
            mended.extend_from_slice(good);
            let before = mended.last().copied().unwrap_or(self.last);
            let Some(length) = fault.error_len() else {
                self.open = odd.to_vec();
                break;
            };
            rest = match self.explain(before, odd, length, &mut mended) {
                Some(taken) => &odd[taken..],
                None => {
                    self.open = odd.to_vec();
                    break;
                }
            };
        }
        self.last = mended.last().copied().unwrap_or(self.last);
        mended.into()
    }

    /// What is left at the end.
    pub fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.open).into()
    }

    /// Takes bytes that are no character; how many, or `None` if more must come.
    fn explain(&mut self, before: u8, odd: &[u8], length: usize, mended: &mut Vec<u8>) -> Option<usize> {
        let is_rest = |byte: &u8| (0x80..0xc0).contains(byte);
        if before == b'"' && !self.cut.is_empty() && odd.first().is_some_and(is_rest) {
            let more = odd.iter().take(4 - self.cut.len()).take_while(|byte| is_rest(byte)).count();
            for taken in 1..=more {
                let whole = [&self.cut, &odd[..taken]].concat();
                if std::str::from_utf8(&whole).is_ok() {
                    mended.extend_from_slice(&whole);
                    self.cut.clear();
                    return Some(taken);
                }
            }
            match odd.get(more) {
                // Cut once more.
                Some(b'"') => {
                    self.cut.extend_from_slice(&odd[..more]);
                    return Some(more);
                }
                None => return None,
                Some(_) => {}
            }
        } else if odd.get(length) == Some(&b'"') && is_beginning(&odd[..length]) {
            self.cut = odd[..length].to_vec();
            return Some(length);
        }
        mended.extend_from_slice(&odd[..length]);
        Some(length)
    }
}

/// Whether a character may begin so.
fn is_beginning(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|fault| fault.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mend(bytes: &[u8], piece: usize) -> Vec<u8> {
        let mut mender = Mender::default();
        let mut all: Vec<u8> =
            bytes.chunks(piece).flat_map(|piece| mender.mend(Bytes::copy_from_slice(piece))).collect();
        all.extend(mender.rest());
        all
    }

    #[test]
    fn a_character_is_put_together_wherever_it_was_cut() {
        for text in ["é", "€", "😀"] {
            for at in 1..text.len() {
                let (first, second) = text.as_bytes().split_at(at);
                let cut = [b"{\"a\":\"x", first, b"\"}\n\n{\"a\":\"", second, b"y\"}"].concat();
                let whole = format!("{{\"a\":\"x\"}}\n\n{{\"a\":\"{text}y\"}}");
                for piece in [1, 2, 3, 7, 100] {
                    assert_eq!(String::from_utf8_lossy(&mend(&cut, piece)), whole, "{text} {at} {piece}");
                }
            }
        }
        let each = b"\"a\xf0\",\"\x9f\",\"\x98\",\"\x80b\"";
        for piece in [1, 4, 100] {
            assert_eq!(String::from_utf8_lossy(&mend(each, piece)), "\"a\",\"\",\"\",\"😀b\"", "{piece}");
        }
    }

    #[test]
    fn what_has_no_explanation_stays() {
        for odd in [&b"a\xff b"[..], b"\"\x80\"", b"\xf0\x9f", b"a\xf0\x9f b", b"\"a\xf5\"", b"\"\xc0\",\"\x80\""] {
            assert_eq!(mend(odd, 1), odd, "{odd:?}");
            assert_eq!(mend(odd, 100), odd, "{odd:?}");
        }
        assert_eq!(mend("\"😀é\"".as_bytes(), 1), "\"😀é\"".as_bytes());
    }
}
