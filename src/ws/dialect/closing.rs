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
    use std::collections::BTreeSet;

    use super::*;
    use crate::describe::{Documents, USUAL_CHAT_PATH};

    #[test]
    fn no_number_of_our_own_is_told() {
        for code in CloseCode::ALL {
            assert!((1000..=1015).contains(&number(code)), "{code:?}");
        }
    }

    #[test]
    fn each_number_is_described_and_no_other() {
        let asyncapi = Documents::new(USUAL_CHAT_PATH).asyncapi.value;
        // The end that an application chooses is for sockets of sessions.
        let codes = CloseCode::ALL.into_iter().filter(|code| !matches!(code, CloseCode::ByApplication(_)));
        let told: BTreeSet<String> = codes.map(|code| number(code).to_string()).collect();
        for channel in ["ai-sdk", "responses"] {
            let described = asyncapi["channels"][channel]["x-close-codes"].as_object().expect("codes");
            assert_eq!(described.keys().cloned().collect::<BTreeSet<_>>(), told, "{channel}");
        }
    }
}
