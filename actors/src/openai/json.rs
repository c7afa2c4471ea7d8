//! JSON as the text that it is: looked at in its order, without building a tree of it. Pure.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// A name as JSON writes it.
pub fn quoted(name: &str) -> String {
    Value::from(name).to_string()
}

/// Shows each element of a JSON list as its text, one after the other. Nothing for what is no list.
pub fn each_element<'a>(list: &'a str, see: impl FnMut(&'a str)) {
    struct Elements<F>(F);
    impl<'de, F: FnMut(&'de str)> Visitor<'de> for Elements<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
            while let Some(element) = list.next_element::<&RawValue>()? {
                (self.0)(element.get());
            }
            Ok(())
        }
    }
    // An error would cost more than all the rest.
    if list.starts_with('[') {
        // What stands after a fault was not seen, and texts of a body have none.
        _ = serde_json::Deserializer::from_str(list).deserialize_seq(Elements(see));
    }
}

/// Shows each field of a JSON object as its name and the text of its value, also one that comes twice. Nothing for what is no object.
pub fn each_field<'a>(object: &'a str, see: impl FnMut(&str, &'a str)) {
    struct Each<F>(F);
    impl<'de, F: FnMut(&str, &'de str)> Visitor<'de> for Each<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some(Name(name)) = map.next_key()? {
                let value: &RawValue = map.next_value()?;
                (self.0)(&name, value.get());
            }
            Ok(())
        }
    }
    if object.starts_with('{') {
        _ = serde_json::Deserializer::from_str(object).deserialize_map(Each(see));
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Whether lists and objects lie in each other deeper than this. Readers that call themselves for each level would come to their end.
pub fn is_deeper(text: &str, most: usize) -> bool {
    let (mut depth, mut bytes) = (0_usize, text.bytes());
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > most {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => _ = bytes.next(),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_and_fields_are_shown_in_their_order() {
        let mut seen = Vec::new();
        each_element(r#"[1, [2 ,3], {"a":[]}]"#, |element| seen.push(element.to_owned()));
        assert_eq!(seen, ["1", "[2 ,3]", r#"{"a":[]}"#]);
        seen.clear();
        each_field(r#"{"a":1,"\u0062":[2],"a":3}"#, |name, value| seen.push(format!("{name}={value}")));
        assert_eq!(seen, ["a=1", "b=[2]", "a=3"]);
        each_element("{}", |_| unreachable!());
        each_field("[1]", |_, _| unreachable!());
    }
}
