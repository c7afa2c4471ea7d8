//! What the programs under measurement are spoken to in, so that the same load drives all of them.

use serde_json::json;

/// Bytes of a token's text: five digits and a blank.
pub(crate) const TOKEN: usize = 6;

/// What a frame said, as far as the load counts it.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    /// A message to the group, sent at this time.
    Message(u64),
    /// Pieces of an answer: the first, and how many.
    Tokens(usize, usize),
    /// The connection may be used: the greeting, or the last of what joining is answered with.
    Ready,
    Other,
}

/// How a program is spoken to.
pub(crate) trait Dialect {
    /// Path and query of a client's handshake.
    fn path(&self, client: usize, group: Option<usize>) -> String;

    /// What is sent first, each answered by one [`Said::Ready`]; `None` waits for one that comes by itself.
    fn opening(&self, group: Option<usize>) -> Vec<Option<String>>;

    /// A message to the group.
    fn message(&self, number: usize, group: usize, text: &str) -> String;

    /// Takes a frame apart.
    fn read(&self, payload: &[u8]) -> Said;

    /// What is sent back where the program asks for a sign of life in a way of its own.
    fn sign_of_life(&self, _payload: &[u8]) -> Option<&'static str> {
        None
    }
}

/// The text of a message: when it was sent, and what fills it.
pub(crate) fn text(now: u64, bytes: usize) -> String {
    format!("@{now:016}@{}", "x".repeat(bytes.saturating_sub(18)))
}

/// The text of a token.
pub(crate) fn token(number: usize) -> String {
    format!("{number:05} ")
}

/// What a payload says that bears one of both texts somewhere.
pub(crate) fn said(payload: &[u8]) -> Said {
    let sent = payload.iter().position(|byte| *byte == b'@').and_then(|at| number(payload.get(at + 1..at + 17)?));
    sent.map_or(Said::Other, |sent| Said::Message(sent as u64))
}

pub(crate) fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The epoll program, and whatever else passes on what it is given: the frame is the text.
pub(crate) struct Plain;

impl Dialect for Plain {
    fn path(&self, client: usize, group: Option<usize>) -> String {
        group.map_or(format!("/alone-{client}"), |group| format!("/{group}"))
    }

    fn opening(&self, _: Option<usize>) -> Vec<Option<String>> {
        Vec::new()
    }

    fn message(&self, _: usize, _: usize, text: &str) -> String {
        text.to_owned()
    }

    fn read(&self, payload: &[u8]) -> Said {
        match payload {
            [b'@', ..] => said(payload),
            _ => number(&payload[..payload.len().min(5)])
                .map_or(Said::Other, |first| Said::Tokens(first, payload.len() / TOKEN)),
        }
    }
}

/// socket.io over WebSocket: engine.io's packets, one event with one text.
pub(crate) struct SocketIo;

const EVENT: &[u8] = b"42[\"m\",\"";

impl Dialect for SocketIo {
    fn path(&self, client: usize, group: Option<usize>) -> String {
        let group = group.map_or(format!("alone-{client}"), |group| group.to_string());
        format!("/socket.io/?EIO=4&transport=websocket&group={group}")
    }

    fn opening(&self, _: Option<usize>) -> Vec<Option<String>> {
        vec![None, Some("40".to_owned())]
    }

    fn message(&self, _: usize, _: usize, text: &str) -> String {
        format!("42[\"m\",\"{text}\"]")
    }

    fn read(&self, payload: &[u8]) -> Said {
        match payload.strip_prefix(EVENT).and_then(|rest| rest.strip_suffix(b"\"]")) {
            Some(text) => Plain.read(text),
            None if payload.starts_with(b"0{") || payload.starts_with(b"40") => Said::Ready,
            None => Said::Other,
        }
    }

    fn sign_of_life(&self, payload: &[u8]) -> Option<&'static str> {
        (payload == b"2").then_some("3")
    }
}

/// sophie.v1.
pub(crate) struct Sophie;

impl Sophie {
    /// A question whose answer goes to the whole group.
    pub(crate) fn question(group: usize) -> String {
        json!({"type": "message.send", "id": "question", "group": format!("g{group}"), "text": "go on"}).to_string()
    }
}

impl Dialect for Sophie {
    fn path(&self, client: usize, _: Option<usize>) -> String {
        format!("/ws/chat/s{client}")
    }

    fn opening(&self, group: Option<usize>) -> Vec<Option<String>> {
        let join = |group| Some(format!("{{\"type\":\"group.join\",\"id\":\"join\",\"group\":\"g{group}\"}}"));
        std::iter::once(None).chain(group.map(join)).collect()
    }

    fn message(&self, number: usize, group: usize, text: &str) -> String {
        format!(
            "{{\"type\":\"message.send\",\"id\":\"{number}\",\"group\":\"g{group}\",\"text\":\"{text}\",\"assistant\":false}}"
        )
    }

    fn read(&self, payload: &[u8]) -> Said {
        // What is logged has its number first.
        let head = &payload[..payload.len().min(48)];
        match find(head, KIND).map(|at| &payload[at + KIND.len()..]) {
            Some(rest) if rest.starts_with(b"message\"") => said(payload),
            Some(rest) if rest.starts_with(b"answer.delta\"") => delta(payload).unwrap_or(Said::Other),
            Some(rest) if rest.starts_with(b"session.ready\"") => Said::Ready,
            Some(rest) if rest.starts_with(b"ack\"") && find(rest, b"\"id\":\"join\"").is_some() => Said::Ready,
            _ => Said::Other,
        }
    }
}

const KIND: &[u8] = b"\"type\":\"";

/// Which tokens a delta completes.
fn delta(payload: &[u8]) -> Option<Said> {
    let after = |name: &[u8]| find(payload, name).map(|at| &payload[at + name.len()..]);
    let digits = after(b"\"offset\":")?;
    let offset = number(&digits[..digits.iter().position(|byte| !byte.is_ascii_digit())?])?;
    let text = after(b"\"text\":\"")?;
    let length = text.iter().position(|byte| *byte == b'"')?;
    let first = offset / TOKEN;
    Some(Said::Tokens(first, (offset + length) / TOKEN - first))
}

fn find(within: &[u8], what: &[u8]) -> Option<usize> {
    within.windows(what.len()).position(|it| it == what)
}
