//! A JSON value that is passed on as the text that it came as: no digit of a number and no order of keys is lost. Pure.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON value as text, in one line.
#[derive(Debug, Clone)]
pub struct Json(Box<RawValue>);

impl Json {
    /// Reads a text that is one JSON value.
    pub fn read(text: &str) -> Option<Self> {
        // Line ends stand between values alone, where a blank does as well; in an event they would end the line.
        RawValue::from_string(text.replace(['\n', '\r'], " ")).ok().map(Self)
    }

    /// One that stands in this program.
    pub fn known(text: &'static str) -> Self {
        Self::read(text).expect("what stands in the program is JSON")
    }

    /// The arguments of a tool call. A call without any has an empty object.
    pub fn of_arguments(text: &str) -> Option<Self> {
        Self::read(if text.trim().is_empty() { "{}" } else { text })
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_as_it_came_but_for_its_line_ends() {
        let read = |text: &str| Json::read(text).map(|json| json.as_str().to_owned());
        let odd = r#"{"b":1.50,"a":123456789012345678901234567890,"c":"\ud83d\n"}"#;
        assert_eq!(read(odd).as_deref(), Some(odd));
        assert_eq!(read("{\r\n\"a\":\n1}").as_deref(), Some("{  \"a\": 1}"));
        for broken in ["", "{", "{\"a\":\"\n\"", "1 2"] {
            assert_eq!(read(broken), None, "{broken}");
        }
        assert_eq!(Json::of_arguments(" ").map(|json| json.as_str().to_owned()).as_deref(), Some("{}"));
        assert_eq!(Json::of_arguments("{\"a\""), None);
    }
}
