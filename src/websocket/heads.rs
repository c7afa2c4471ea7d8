//! What the heads of a client's frames say, before a byte of their payload is waited for (RFC 6455, 5.2).

use sophie_actors::protocol::CloseCode;

/// The longest head: two bytes, eight of length, four of mask.
const LONGEST_HEAD: usize = 14;
/// The largest payload of a control frame (RFC 6455, 5.5).
pub(super) const LARGEST_CONTROL: usize = 125;

const FINAL: u8 = 0x80;
/// A message that was compressed says so in its first frame (RFC 7692, 6).
const COMPRESSED: u8 = 0x40;
const RESERVED: u8 = 0x30;
const MASKED: u8 = 0x80;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// More of a message in fragments.
    Continuation,
    /// Text.
    Text,
    /// Bytes.
    Binary,
    /// Goodbye.
    Close,
    /// A question whether the other side is there.
    Ping,
    /// The answer to it.
    Pong,
}

impl Opcode {
    fn read(byte: u8) -> Option<Self> {
        Some(match byte & 0x0f {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    /// Its number on the wire.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    /// Whether it may stand between the fragments of a message.
    pub(super) const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// What a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Bytes of the largest frame, and of the largest message in fragments.
    pub bytes: usize,
    /// Whether messages of bytes are taken, beside text.
    pub binary: bool,
    /// Whether messages may come compressed.
    pub compressed: bool,
}

/// A whole head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) opcode: Opcode,
    pub(super) last: bool,
    pub(super) compressed: bool,
    /// Bytes of payload that follow.
    pub(super) payload: u64,
    pub(super) mask: [u8; 4],
}

/// Reads heads one after another, and remembers the message that is under way in fragments.
#[derive(Debug)]
pub(super) struct Heads {
    allowed: Allowed,
    head: [u8; LONGEST_HEAD],
    have: u8,
    /// Bytes of the message that is under way, if it is.
    message: Option<u64>,
}

impl Heads {
    pub(super) fn new(allowed: Allowed) -> Self {
        Self { allowed, head: [0; LONGEST_HEAD], have: 0, message: None }
    }

    /// Whether a head is about to begin.
    pub(super) fn at_start(&self) -> bool {
        self.have == 0
    }

    /// Takes bytes of a head: how many of them, and the head once it is whole.
    ///
    /// # Errors
    /// What it is closed for that says what no frame of a client may say.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(usize, Option<Head>), CloseCode> {
        let mut taken = 0;
        while usize::from(self.have) < self.needed() {
            let Some(byte) = bytes.get(taken) else { return Ok((taken, None)) };
            self.head[usize::from(self.have)] = *byte;
            self.have += 1;
            taken += 1;
        }
        let first = self.head[0];
        let opcode = Opcode::read(first).ok_or(CloseCode::ProtocolError)?;
        let head = Head {
            opcode,
            last: first & FINAL != 0,
            compressed: first & COMPRESSED != 0,
            payload: self.length(),
            mask: self.mask(),
        };
        // Clients must mask. What is compressed is so as a whole, and no control frame is.
        let may_be_compressed = self.allowed.compressed && matches!(opcode, Opcode::Text | Opcode::Binary);
        let sound = first & RESERVED == 0 && self.head[1] & MASKED != 0 && (!head.compressed || may_be_compressed);
        let is_whole = head.last && head.payload <= LARGEST_CONTROL as u64;
        if !sound || (opcode.is_control() && !is_whole) {
            return Err(CloseCode::ProtocolError);
        }
        self.have = 0;
        Ok((taken, Some(head)))
    }

    /// How long the head is, as far as can be told.
    fn needed(&self) -> usize {
        match (self.have, self.head[1] & 0x7f) {
            (..2, _) => 2,
            // What is not masked is refused for that: no more of it is needed.
            _ if self.head[1] & MASKED == 0 => 2,
            (_, 126) => 8,
            (_, 127) => LONGEST_HEAD,
            _ => 6,
        }
    }

    /// The payload that is declared.
    fn length(&self) -> u64 {
        match self.head[1] & 0x7f {
            126 => u64::from(u16::from_be_bytes([self.head[2], self.head[3]])),
            127 => u64::from_be_bytes(std::array::from_fn(|n| self.head[2 + n])),
            short => u64::from(short),
        }
    }

    fn mask(&self) -> [u8; 4] {
        let end = self.needed();
        std::array::from_fn(|n| self.head[(end + n).saturating_sub(4)])
    }

    /// The frame is taken note of.
    ///
    /// # Errors
    /// What it is closed for that does not belong where it stands, is too large, or is no text where only text is taken.
    pub(super) fn admit(&mut self, head: Head) -> Result<(), CloseCode> {
        if head.opcode.is_control() {
            return Ok(());
        }
        if self.message.is_some() != (head.opcode == Opcode::Continuation) {
            return Err(CloseCode::ProtocolError);
        }
        let message = self.message.unwrap_or(0).saturating_add(head.payload);
        if message > self.allowed.bytes as u64 {
            return Err(CloseCode::TooLarge);
        }
        if head.opcode == Opcode::Binary && !self.allowed.binary {
            return Err(CloseCode::Unsupported);
        }
        self.message = (!head.last).then_some(message);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT_ALONE: Allowed = Allowed { bytes: 1_000, binary: false, compressed: false };

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
        head.extend([1, 2, 3, 4]);
        head
    }

    /// The code by which the last of these heads is refused; each comes a byte at a time.
    fn refusal(heads: &[Vec<u8>], allowed: Allowed) -> Option<CloseCode> {
        let mut reader = Heads::new(allowed);
        for head in heads {
            for (place, byte) in head.iter().enumerate() {
                match reader.read(std::slice::from_ref(byte)) {
                    Ok((1, None)) => assert!(place + 1 < head.len()),
                    Ok((1, Some(whole))) => {
                        assert_eq!((place + 1, whole.mask), (head.len(), [1, 2, 3, 4]));
                        if let Err(code) = reader.admit(whole) {
                            return Some(code);
                        }
                    }
                    Ok(other) => panic!("{other:?}"),
                    Err(code) => return Some(code),
                }
            }
            assert!(reader.at_start());
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
            assert_eq!(refusal(&heads, TEXT_ALONE), None, "{heads:?}");
        }
        let all = Allowed { binary: true, compressed: true, ..TEXT_ALONE };
        assert_eq!(refusal(&[head(0xc2, 5), head(0x41, 5), head(0x80, 5), head(0x82, 5)], all), None);
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
            assert_eq!(refusal(&heads, TEXT_ALONE), Some(code), "{heads:?}");
        }
        let compressed = Allowed { compressed: true, ..TEXT_ALONE };
        for heads in [vec![head(0xc9, 1)], vec![head(0x41, 1), head(0xc0, 1)]] {
            assert_eq!(refusal(&heads, compressed), Some(CloseCode::ProtocolError), "{heads:?}");
        }
    }
}
