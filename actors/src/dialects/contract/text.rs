//! The rule of the text alone: it is the answer's.

use serde_json::Value;

use super::{Answer, Dialect, promises};
use crate::dialects::text::TextFold;

struct Text;

impl Dialect for Text {
    type Fold = TextFold;

    fn fold() -> TextFold {
        TextFold::default()
    }

    fn check(answer: &Answer, events: &[Value]) {
        let pieces: Vec<_> = events.iter().map(|event| event.as_str().expect("a text")).collect();
        assert!(!pieces.contains(&""), "a piece says something");
        assert_eq!(pieces.concat(), answer.text);
    }
}

promises!(Text, "dialect_text");
