//! Why the server closes a socket: one table.

/// Close codes: RFC 6455's own where they fit; 4000 to 4499 mean "reconnect", 4500 to 4999 "do not".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// The peer broke the WebSocket protocol.
    ProtocolError,
    /// A binary frame: this protocol has none.
    Unsupported,
    /// A text frame that is not UTF-8.
    InvalidText,
    /// A message of which not even is clear what it belongs to.
    NotUnderstood,
    /// A frame over `session.max_frame_bytes`.
    TooLarge,
    /// A fault of the server.
    Internal,
    /// This node is being shut down.
    Draining,
    /// The client did not read what waited for it.
    Slow,
    /// No pong came back.
    NoPong,
    /// The server has too much to do.
    Overloaded,
    /// The session's actor was restarted after a fault.
    Restarted,
    /// The token is missing, bad or expired.
    BadToken,
    /// This session is not for this user.
    NotAllowed,
    /// An operator (or the application) closed it.
    ByOperator,
    /// Too many commands.
    Flooding,
    /// The session failed again and again.
    KeptFailing,
    /// The application closed it, with a code of its own choice.
    ByApplication(u16),
}

impl CloseCode {
    /// Every code, for documents and tests.
    pub const ALL: [CloseCode; 17] = [
        Self::ProtocolError,
        Self::Unsupported,
        Self::InvalidText,
        Self::NotUnderstood,
        Self::TooLarge,
        Self::Internal,
        Self::Draining,
        Self::Slow,
        Self::NoPong,
        Self::Overloaded,
        Self::Restarted,
        Self::BadToken,
        Self::NotAllowed,
        Self::ByOperator,
        Self::Flooding,
        Self::KeptFailing,
        Self::ByApplication(1000),
    ];

    /// Number on the wire, label in the metrics, sentence for the client.
    const fn row(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::ProtocolError => (1002, "protocol_error", "the WebSocket protocol was broken"),
            Self::Unsupported => (1003, "unsupported", "binary frames are not part of this protocol; send JSON text"),
            Self::InvalidText => (1007, "invalid_text", "a text frame was not UTF-8"),
            Self::NotUnderstood => (1008, "not_understood", "a message was none of this protocol"),
            Self::TooLarge => (1009, "too_large", "a frame was larger than this server takes"),
            Self::Internal => (1011, "internal", "a fault of the server; reconnect"),
            Self::Draining => (4001, "draining", "this server is being restarted; reconnect"),
            Self::Slow => (4002, "slow", "the client did not read what waited for it; reconnect and recover"),
            Self::NoPong => (4003, "no_pong", "no pong came back in time; reconnect"),
            Self::Overloaded => (4004, "overloaded", "the server has too much to do; come back later"),
            Self::Restarted => (4005, "restarted", "the session was restarted after a fault; reconnect and recover"),
            Self::BadToken => (4500, "bad_token", "the token is missing, bad or expired"),
            Self::NotAllowed => (4501, "not_allowed", "this session is not open to this user"),
            Self::ByOperator => (4502, "by_operator", "closed by an operator"),
            Self::Flooding => (4503, "flooding", "too many commands; slow down before you come back"),
            Self::KeptFailing => (4504, "kept_failing", "the session kept failing"),
            Self::ByApplication(code) => (code, "by_application", "closed by the application"),
        }
    }

    /// The number on the wire.
    pub const fn code(self) -> u16 {
        self.row().0
    }

    /// The metric label.
    pub const fn label(self) -> &'static str {
        self.row().1
    }

    /// The sentence that the client is told.
    pub const fn reason(self) -> &'static str {
        self.row().2
    }

    /// Whether the client should connect again by itself.
    pub const fn reconnect(self) -> bool {
        matches!(self.code(), 1011 | 4000..=4499)
    }
}

/// One decision to close: the code, and when to come back if the server wants to say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close {
    /// Why.
    pub code: CloseCode,
    /// Milliseconds that the client should wait before it reconnects.
    pub retry_in_ms: Option<u64>,
}

impl From<CloseCode> for Close {
    fn from(code: CloseCode) -> Self {
        Self { code, retry_in_ms: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_says_what_to_do() {
        for code in CloseCode::ALL {
            match code.code() {
                4000..=4499 => assert!(code.reconnect(), "{code:?}"),
                4500..=4999 => assert!(!code.reconnect(), "{code:?}"),
                _ => {}
            }
            // RFC 6455 allows 123 bytes of reason in a close frame.
            assert!(code.reason().len() <= 123, "{code:?}");
        }
    }
}
