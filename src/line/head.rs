//! Where a request's head ends, and what in it must not reach the HTTP library.
//!
//! That library takes every connection which asks for an upgrade for one that gets it: it answers `connection: upgrade` and closes. Java's
//! client asks for HTTP/2 with each request, as RFC 7540 had it; such an offer is to be ignored. So whoever asks for something else than
//! a WebSocket does not ask.
//!
//! It also says `100 Continue` to whoever expects it before anybody has looked at the request. So it does not see that, and whoever reads
//! the body says it.

use bytes::BytesMut;
use tokio::io::ReadBuf;

use super::Wire;

/// A head that is longer than this is the library's to refuse.
const LONGEST: usize = 64 * 1024;

/// The heads of one connection.
#[derive(Default)]
pub(super) struct Heads {
    /// A head of which something has come.
    held: BytesMut,
    /// Whether it is to be handed out.
    whole: bool,
    /// How many requests there had been when a head was passed on, if one was.
    passed: Option<u64>,
    /// It was passed on although it is not whole.
    unfinished: bool,
}

/// What is to become of bytes that were read.
pub(super) enum Seen {
    /// They are passed on.
    Pass,
    /// They were taken, and are passed on later.
    Held,
}

impl Heads {
    /// Looks at what was read.
    pub(super) fn look(&mut self, bytes: &mut [u8], wire: &Wire) -> Seen {
        if !self.expects_one(wire) {
            return Seen::Pass;
        }
        // Nearly always a head comes in one piece.
        if self.held.is_empty() && ends(bytes).is_some() {
            let end = ends(bytes).unwrap_or(bytes.len());
            take_out(&mut bytes[..end], wire);
            self.pass(wire, false);
            return Seen::Pass;
        }
        self.held.extend_from_slice(bytes);
        match ends(&self.held) {
            Some(end) => {
                take_out(&mut self.held[..end], wire);
                self.pass(wire, false);
                self.whole = true;
            }
            None if self.held.len() > LONGEST => {
                self.pass(wire, true);
                self.whole = true;
            }
            None => {}
        }
        Seen::Held
    }

    /// Whether a head begins with what is read next.
    fn expects_one(&mut self, wire: &Wire) -> bool {
        match self.passed {
            None => true,
            Some(before) if wire.requests() > before && wire.is_idle() => {
                self.passed = None;
                true
            }
            Some(_) => false,
        }
    }

    fn pass(&mut self, wire: &Wire, unfinished: bool) {
        self.passed = Some(wire.requests());
        self.unfinished = unfinished;
    }

    /// Gives out what was held and is to be passed on. Whether that was anything.
    pub(super) fn hand_out(&mut self, into: &mut ReadBuf<'_>) -> bool {
        if !self.whole || into.remaining() == 0 {
            return false;
        }
        let part = self.held.split_to(self.held.len().min(into.remaining()));
        into.put_slice(&part);
        if self.held.is_empty() {
            // What it was held in goes with it.
            (self.held, self.whole) = (BytesMut::new(), false);
        }
        true
    }

    /// What is held.
    pub(super) fn into_rest(self) -> BytesMut {
        self.held
    }

    /// Whether a head has begun and its end has not come.
    pub(super) fn is_awaited(&self, wire: &Wire) -> bool {
        match self.passed {
            None => !self.held.is_empty(),
            Some(before) => self.unfinished && wire.requests() == before,
        }
    }
}

/// Where the first head ends, empty lines before it passed over, as the library reads it: the carriage returns may be missing.
fn ends(bytes: &[u8]) -> Option<usize> {
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    let mut line_begins = false;
    for (place, byte) in bytes.iter().enumerate().skip(start) {
        match byte {
            b'\n' if line_begins => return Some(place + 1),
            b'\n' => line_begins = true,
            b'\r' => {}
            _ => line_begins = false,
        }
    }
    None
}

/// Takes out what must not reach the library; of what is expected, the connection is told.
fn take_out(head: &mut [u8], wire: &Wire) {
    ignore_offers(head);
    wire.expect_continue(take_expectation(head));
}

/// Takes out that the client waits for `100 Continue` before it sends the body. Whether it does.
fn take_expectation(head: &mut [u8]) -> bool {
    let mut is_expected = false;
    for line in head.split_mut(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at_mut(colon + 1);
        if name.eq_ignore_ascii_case(b"expect:") && value.trim_ascii().eq_ignore_ascii_case(b"100-continue") {
            value.iter_mut().filter(|byte| byte.is_ascii_graphic()).for_each(|byte| *byte = b' ');
            is_expected = true;
        }
    }
    is_expected
}

/// Takes the word `upgrade` out of the connection's options, unless a WebSocket is asked for.
fn ignore_offers(head: &mut [u8]) {
    const UPGRADE: &[u8] = b"upgrade";
    let mut connections = Vec::new();
    let mut start = 0;
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        let end = start + line.len();
        if let Some(colon) = line.iter().position(|byte| *byte == b':') {
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(UPGRADE) && value.eq_ignore_ascii_case(b"websocket") {
                return;
            }
            if name.eq_ignore_ascii_case(b"connection") {
                connections.push(start + colon + 1..end);
            }
        }
        start = end;
    }
    for place in connections {
        for option in head[place].split_mut(|byte| *byte == b',') {
            if option.trim_ascii().eq_ignore_ascii_case(UPGRADE) {
                option.iter_mut().filter(|byte| byte.is_ascii_alphabetic()).for_each(|byte| *byte = b' ');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Standing;

    const OFFER: &str = "POST /v1 HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: 4\r\nHost: h\r\n\
                         HTTP2-Settings: AAEAAEAA\r\nUpgrade: h2c\r\n\r\n";

    /// What is passed on of what comes in these pieces.
    fn passed(pieces: &[&str]) -> (String, Heads) {
        let (mut heads, wire, mut passed) = (Heads::default(), Wire::new(Standing::Whole), String::new());
        for piece in pieces {
            let mut bytes = piece.as_bytes().to_vec();
            if let Seen::Pass = heads.look(&mut bytes, &wire) {
                passed.push_str(std::str::from_utf8(&bytes).unwrap());
            }
            let mut room = [0; 16];
            let mut room = ReadBuf::new(&mut room);
            while heads.hand_out(&mut room) {
                passed.push_str(std::str::from_utf8(room.filled()).unwrap());
                room.clear();
            }
        }
        (passed, heads)
    }

    #[test]
    fn the_end_of_a_head_is_found() {
        assert_eq!(ends(b"GET / HTTP/1.1\r\nHost: h\r\n\r\nbody\r\n\r\n"), Some(27));
        assert_eq!(ends(b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"), Some(22));
        assert_eq!(ends(b"GET / HTTP/1.1\nHost: h\n\nx"), Some(24));
        assert_eq!(ends(b"GET / HTTP/1.1\r\nHost: h\r\n"), None);
        assert_eq!(ends(b"\r\n\r\n"), None);
    }

    #[test]
    fn an_offer_is_ignored_in_one_piece_and_in_many() {
        let ignored = OFFER.replace("Connection: Upgrade", "Connection:        ") + "body";
        assert_eq!(passed(&[&format!("{OFFER}body")]).0, ignored);
        let letters: Vec<String> = OFFER.chars().map(String::from).collect();
        let mut pieces: Vec<&str> = letters.iter().map(String::as_str).collect();
        pieces.push("body");
        assert_eq!(passed(&pieces).0, ignored);
    }

    #[test]
    fn a_body_and_a_websocket_are_left_alone() {
        let websocket = "GET /ws HTTP/1.1\r\nconnection: keep-alive, Upgrade\r\nUPGRADE: WebSocket\r\n\r\n";
        assert_eq!(
            passed(&[websocket, "connection: upgrade\r\n\r\n"]).0,
            format!("{websocket}connection: upgrade\r\n\r\n")
        );
        let post = "POST / HTTP/1.1\r\ncontent-length: 23\r\n\r\nconnection: upgrade\r\n\r\n";
        assert_eq!(passed(&[post]).0, post);
    }

    #[test]
    fn what_is_expected_is_taken_out_and_told() {
        let post = "POST / HTTP/1.1\r\nEXPECT: 100-Continue \r\nHost: h\r\n\r\nexpect: 100-continue\r\n";
        let (start, rest) = post.split_at(20);
        for pieces in [&[post][..], &[start, rest]] {
            let (mut heads, wire, mut passed) = (Heads::default(), Wire::new(Standing::Whole), Vec::new());
            for piece in pieces {
                let mut bytes = piece.as_bytes().to_vec();
                if let Seen::Pass = heads.look(&mut bytes, &wire) {
                    passed.extend(bytes);
                }
            }
            passed.extend_from_slice(&heads.held);
            assert_eq!(String::from_utf8(passed).unwrap(), post.replace("100-Continue", "            "));
            assert!(wire.take_expectation());
            assert!(!wire.take_expectation(), "of one request");
        }
        for other in ["expect: 200-ok", "x-expect: 100-continue", "host: h"] {
            let mut head = format!("POST / HTTP/1.1\r\n{other}\r\n\r\n").into_bytes();
            assert!(!take_expectation(&mut head), "{other}");
        }
    }

    #[test]
    fn a_head_is_awaited_until_it_is_whole() {
        let (sent, heads) = passed(&["GET / HTTP/1.1\r\nHo"]);
        let wire = Wire::new(Standing::Whole);
        assert!(sent.is_empty() && heads.is_awaited(&wire));
        assert!(!passed(&["GET / HTTP/1.1\r\n", "\r\n"]).1.is_awaited(&wire));
        let endless = "x".repeat(LONGEST + 1);
        let (sent, heads) = passed(&[&endless]);
        assert_eq!(sent, endless);
        assert!(heads.is_awaited(&wire));
    }

    #[test]
    fn the_next_head_is_looked_at_when_the_request_was_answered() {
        let wire = std::sync::Arc::new(Wire::new(Standing::Whole));
        let mut heads = Heads::default();
        let look = |heads: &mut Heads| {
            let mut bytes = OFFER.as_bytes().to_vec();
            heads.look(&mut bytes, &wire);
            bytes != OFFER.as_bytes()
        };
        assert!(look(&mut heads));
        assert!(!look(&mut heads), "as far as is known this is its body");
        let under_way = wire.begin();
        assert!(!look(&mut heads));
        drop(under_way);
        assert!(look(&mut heads));
    }
}
