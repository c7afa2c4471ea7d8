//! Frames on their way out. A server does not mask (RFC 6455, 5.1), so a frame is the same for everybody.

use sophie_actors::ids::cut;

use super::heads::{LARGEST_CONTROL, Opcode};

const FINAL: u8 = 0x80;
const COMPRESSED: u8 = 0x40;

/// Adds a whole message in one frame.
pub(super) fn put(out: &mut Vec<u8>, opcode: Opcode, is_compressed: bool, payload: &[u8]) {
    out.push(FINAL | if is_compressed { COMPRESSED } else { 0 } | opcode.number());
    match payload.len() {
        short @ 0..126 => out.push(short as u8),
        middle @ 126..0x1_0000 => {
            out.push(126);
            out.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            out.push(127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

/// Adds a goodbye. A reason that is too long for it is cut between characters.
pub(super) fn put_close(out: &mut Vec<u8>, code: Option<u16>, reason: &str) {
    let Some(code) = code else { return put(out, Opcode::Close, false, &[]) };
    let reason = cut(reason, LARGEST_CONTROL - 2);
    put(out, Opcode::Close, false, &[&code.to_be_bytes(), reason.as_bytes()].concat());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_in_the_shortest_form() {
        for (length, head) in [
            (125, &[0x81, 125][..]),
            (126, &[0x81, 126, 0, 126]),
            (65_535, &[0x81, 126, 255, 255]),
            (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut out = Vec::new();
            put(&mut out, Opcode::Text, false, &vec![b'x'; length]);
            assert_eq!((&out[..head.len()], out.len()), (head, head.len() + length));
        }
    }

    #[test]
    fn a_goodbye_has_a_code_and_a_reason_that_fits() {
        let mut out = Vec::new();
        put_close(&mut out, Some(1000), &"é".repeat(100));
        assert_eq!((out[0], out[1], &out[2..4]), (0x88, 124, &1000_u16.to_be_bytes()[..]));
        assert!(std::str::from_utf8(&out[4..]).is_ok());
        out.clear();
        put_close(&mut out, None, "");
        assert_eq!(out, [0x88, 0]);
    }
}
