//! What must hold of any text frame of a client.

use serde_json::{Map, Value};

use super::{Command, CommandBody, METADATA_DEPTH, is_map_deeper};

/// The longest text of a message here.
const MOST_CHARS: usize = 40;
/// The longest refusal, in bytes: it is for a reader, and no echo of what was sent.
const MOST_REFUSAL: usize = 1_000;

/// A command keeps its bounds, a refusal is short, and the same command written in another way is the same.
pub fn command(data: &[u8]) {
    let Ok(frame) = std::str::from_utf8(data) else { return };
    let command = match Command::parse(frame, MOST_CHARS) {
        Ok(command) => command,
        Err(bad) => {
            let message = bad.refusal.message;
            assert!(!message.is_empty() && message.len() <= MOST_REFUSAL, "{} bytes: {message}", message.len());
            return;
        }
    };
    if let CommandBody::Send(send) = &command.body {
        assert!(command.id.is_some(), "a message without an id");
        assert!(!send.text.trim().is_empty() && send.text.chars().count() <= MOST_CHARS, "{:?}", send.text);
        assert!(!send.metadata.as_ref().is_some_and(|it| is_map_deeper(it, METADATA_DEPTH)), "too deep");
    }
    // What stands in a field that nobody reads may be no text, as half a character.
    let Ok(again) = serde_json::from_str::<Map<String, Value>>(frame) else { return };
    let again = Command::parse(&Value::Object(again).to_string(), MOST_CHARS).expect("a command stays one");
    assert_eq!(format!("{command:?}"), format!("{again:?}"));
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_seeds_of_commands_hold() {
        sophie_kit::seeds::play("commands", super::command);
    }
}
