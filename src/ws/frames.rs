//! What the heads of a client's frames say, before a byte of their payload is waited for.

use sophie_actors::protocol::CloseCode;

/// The longest head: two bytes, eight of length, four of mask.
const LONGEST_HEAD: usize = 14;
/// The largest payload of a control frame (RFC 6455, 5.5).
const LARGEST_CONTROL: u64 = 125;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Reads heads one after another, and remembers the message that is under way in fragments.
pub(super) struct Frames {
    most: u64,
    head: [u8; LONGEST_HEAD],
    have: usize,
    /// Bytes of the message that is under way, if it is.
    message: Option<u64>,
}

/// A whole head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    opcode: u8,
    last: bool,
    /// Bytes of payload that follow.
    pub(super) payload: u64,
}

impl Head {
    /// Whether the client says goodbye by it.
    pub(super) fn is_close(self) -> bool {
        self.opcode == CLOSE
    }
}

impl Frames {
    /// For frames and fragmented messages of at most so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self { most: most as u64, head: [0; LONGEST_HEAD], have: 0, message: None }
    }

    /// Whether a frame is about to begin.
    pub(super) fn at_start(&self) -> bool {
        self.have == 0
    }

    /// The bytes of the head that was read last, or of what there is of it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.head[..self.have]
    }

    /// Takes bytes of the head: how many of them, and the head once it is whole. The next one begins with [`Self::next`].
    ///
    /// # Errors
    /// What it is closed for that says what no frame of a client may say.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(usize, Option<Head>), CloseCode> {
        let before = self.have;
        let mut bytes = bytes.iter();
        while self.have < self.needed() {
            let Some(byte) = bytes.next() else { return Ok((self.have - before, None)) };
            self.head[self.have] = *byte;
            self.have += 1;
        }
        let head = Head { opcode: self.head[0] & 0x0f, last: self.head[0] & 0x80 != 0, payload: self.length() };
        let known = matches!(head.opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG);
        // No extension is ever agreed on, so the three reserved bits mean nothing here; and clients must mask.
        let sound = known && self.head[0] & 0x70 == 0 && self.head[1] & 0x80 != 0;
        let control = head.opcode >= CLOSE;
        match sound && (!control || (head.last && head.payload <= LARGEST_CONTROL)) {
            true => Ok((self.have - before, Some(head))),
            false => Err(CloseCode::ProtocolError),
        }
    }

    /// How long the head is, as far as can be told.
    fn needed(&self) -> usize {
        match (self.have, self.head[1] & 0x7f) {
            (..2, _) => 2,
            // What is not masked is refused for that: no more of it is needed.
            _ if self.head[1] & 0x80 == 0 => 2,
            (_, 126) => 8,
            (_, 127) => LONGEST_HEAD,
            _ => 6,
        }
    }

    /// The payload that is declared, as far as it has been read.
    fn length(&self) -> u64 {
        match self.head[1] & 0x7f {
            126 => u64::from(u16::from_be_bytes([self.head[2], self.head[3]])),
            127 => u64::from_be_bytes(std::array::from_fn(|n| self.head[2 + n])),
            short => u64::from(short),
        }
    }

    /// The frame is taken note of, and the next head may come.
    ///
    /// # Errors
    /// What it is closed for that does not belong where it stands, or is too large.
    pub(super) fn admit(&mut self, head: Head) -> Result<(), CloseCode> {
        if head.opcode >= CLOSE {
            return Ok(());
        }
        if self.message.is_some() != (head.opcode == CONTINUATION) {
            return Err(CloseCode::ProtocolError);
        }
        let message = self.message.unwrap_or(0).saturating_add(head.payload);
        if message > self.most {
            return Err(CloseCode::TooLarge);
        }
        if head.opcode == BINARY {
            return Err(CloseCode::Unsupported);
        }
        self.message = (!head.last).then_some(message);
        Ok(())
    }

    /// The next head begins.
    pub(super) fn next(&mut self) {
        self.have = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(first: u8, payload: u64) -> Vec<u8> {
        let mut head = vec![first];
        match payload {
            0..126 => head.push(0x80 | payload as u8),
            126..0x1_0000 => {
                head.push(0x80 | 126);
                head.extend((payload as u16).to_be_bytes());
            }
            _ => {
                head.push(0x80 | 127);
                head.extend(payload.to_be_bytes());
            }
        }
        head.extend([0; 4]);
        head
    }

    /// The code by which the last of these heads is refused; each comes a byte at a time.
    fn refusal(heads: &[Vec<u8>]) -> Option<CloseCode> {
        let mut frames = Frames::new(1_000);
        for head in heads {
            for (place, byte) in head.iter().enumerate() {
                match frames.read(std::slice::from_ref(byte)) {
                    Ok((1, None)) => assert!(place + 1 < head.len()),
                    Ok((1, Some(whole))) => match frames.admit(whole) {
                        Ok(()) => assert_eq!(place + 1, head.len()),
                        Err(code) => return Some(code),
                    },
                    Ok(other) => panic!("{other:?}"),
                    Err(code) => return Some(code),
                }
            }
            frames.next();
        }
        None
    }

    #[test]
    fn what_is_legal_passes() {
        for heads in [
            vec![head(0x81, 0), head(0x81, 125), head(0x81, 126), head(0x81, 1_000)],
            vec![head(0x01, 500), head(0x89, 125), head(0x00, 0), head(0x8a, 0), head(0x80, 500), head(0x81, 1_000)],
            vec![head(0x88, 2)],
        ] {
            assert_eq!(refusal(&heads), None, "{heads:?}");
        }
    }

    #[test]
    fn what_is_not_is_refused_from_its_head() {
        for (heads, code) in [
            (vec![head(0x81, 1_001)], CloseCode::TooLarge),
            (vec![head(0x81, u64::MAX)], CloseCode::TooLarge),
            (vec![head(0x82, 1_001)], CloseCode::TooLarge),
            (vec![head(0x01, 600), head(0x80, 401)], CloseCode::TooLarge),
            (vec![head(0x01, 600), head(0x00, 400), head(0x00, 1)], CloseCode::TooLarge),
            (vec![head(0x82, 1)], CloseCode::Unsupported),
            (vec![head(0xc1, 1)], CloseCode::ProtocolError),
            (vec![head(0xa1, 1)], CloseCode::ProtocolError),
            (vec![head(0x91, 1)], CloseCode::ProtocolError),
            (vec![head(0x83, 1)], CloseCode::ProtocolError),
            (vec![head(0x8f, 1)], CloseCode::ProtocolError),
            (vec![head(0x09, 1)], CloseCode::ProtocolError),
            (vec![head(0x89, 126)], CloseCode::ProtocolError),
            (vec![head(0x80, 1)], CloseCode::ProtocolError),
            (vec![head(0x01, 1), head(0x81, 1)], CloseCode::ProtocolError),
            (vec![vec![0x81, 0x05]], CloseCode::ProtocolError),
        ] {
            assert_eq!(refusal(&heads), Some(code), "{heads:?}");
        }
    }
}
