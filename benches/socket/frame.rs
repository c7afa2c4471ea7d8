//! WebSocket frames, as far as the load and the epoll program need them: made by hand, and read without a copy.

/// The key that masks what a client sends. Any will do.
const KEY: [u8; 4] = [0x5a, 0xa5, 0x3c, 0xc3];

pub(crate) const TEXT: u8 = 1;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// A whole frame, with its opcode.
pub(crate) struct Frame<'a> {
    pub(crate) opcode: u8,
    pub(crate) payload: &'a [u8],
    /// Bytes of it, its head included.
    pub(crate) length: usize,
}

fn head(opcode: u8, length: usize, mask: u8, into: &mut Vec<u8>) {
    into.push(0x80 | opcode);
    match length {
        0..=125 => into.push(mask | length as u8),
        126..=0xffff => {
            into.push(mask | 126);
            into.extend((length as u16).to_be_bytes());
        }
        _ => {
            into.push(mask | 127);
            into.extend((length as u64).to_be_bytes());
        }
    }
}

/// A frame as a client sends it.
pub(crate) fn from_client(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 14);
    head(opcode, payload.len(), 0x80, &mut frame);
    frame.extend(KEY);
    frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// A frame as a server sends it.
pub(crate) fn from_server(opcode: u8, payload: &[u8], into: &mut Vec<u8>) {
    head(opcode, payload.len(), 0, into);
    into.extend(payload);
}

/// Where the payload begins, and how long it is; `None` if the head is not there yet.
fn bounds(bytes: &[u8]) -> Option<(usize, usize)> {
    let [_, second, ..] = bytes else { return None };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let (at, length) = match second & 0x7f {
        126 => (4, u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?) as usize),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        short => (2, short as usize),
    };
    Some((at + mask, length))
}

/// The first frame that a server sent, if all of it is there.
pub(crate) fn first(bytes: &[u8]) -> Option<Frame<'_>> {
    let (at, length) = bounds(bytes)?;
    let payload = bytes.get(at..at + length)?;
    Some(Frame { opcode: bytes[0] & 0x0f, payload, length: at + length })
}

/// The first frame that a client sent, if all of it is there; it is unmasked in its place.
pub(crate) fn first_unmasked(bytes: &mut [u8]) -> Option<Frame<'_>> {
    let (at, length) = bounds(bytes)?;
    let key: [u8; 4] = bytes.get(at - 4..at)?.try_into().ok()?;
    let opcode = bytes[0] & 0x0f;
    let payload = bytes.get_mut(at..at + length)?;
    payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    Some(Frame { opcode, payload, length: at + length })
}
