//! The numbers of closes, for clients that know RFC 6455 and its registry alone: from 1011 to 1013 they may come back.

use sophie_actors::protocol::CloseCode;

/// The number that a close has on the wire.
pub(super) fn number(code: CloseCode) -> u16 {
    match code {
        CloseCode::NoPong | CloseCode::Restarted => 1011,
        CloseCode::Draining => 1012,
        CloseCode::Slow | CloseCode::Overloaded => 1013,
        CloseCode::BadToken
        | CloseCode::NotAllowed
        | CloseCode::ByOperator
        | CloseCode::Flooding
        | CloseCode::KeptFailing => 1008,
        CloseCode::ProtocolError
        | CloseCode::Unsupported
        | CloseCode::InvalidText
        | CloseCode::NotUnderstood
        | CloseCode::TooLarge
        | CloseCode::Internal
        | CloseCode::ByApplication(_) => code.code(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_of_our_own_is_told() {
        for code in CloseCode::ALL {
            assert!((1000..=1015).contains(&number(code)), "{code:?}");
        }
    }
}
