//! The body of a request: its fields in the order in which they came, each value as the text that it came as. So what nobody here has to
//! understand reaches the backend untouched, the order of keys and every digit of a number included, and costs no more than its text.

use std::fmt;

use bytestring::ByteString;
use serde::Deserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::json::{is_deeper, quoted};

/// Fields beside each other that a body may have. No API has a tenth of it; each one is looked for among all others.
const MOST_FIELDS: usize = 1_000;

/// How deep lists and objects may lie in each other, the body included: what most readers of JSON take.
pub const MOST_DEPTH: usize = 127;

/// An object, of which only the first level was taken apart.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Body {
    fields: Vec<(ByteString, ByteString)>,
}

/// A text that is no body.
#[derive(Debug, thiserror::Error)]
pub enum BadBody {
    /// Not one JSON object, or one with too many fields.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// Deeper than [`MOST_DEPTH`].
    #[error("lists and objects lie in each other more than {MOST_DEPTH} deep")]
    TooDeep,
}

impl Body {
    /// Takes a JSON object apart. Its values are parts of the same text, not copies. Of a field that comes twice the last value counts,
    /// and only that one is kept, so that nobody who reads it later can take another one.
    ///
    /// # Errors
    /// It is not one JSON object, or has more or deeper fields than a request can need.
    pub fn parse(text: &ByteString) -> Result<Self, BadBody> {
        if is_deeper(text, MOST_DEPTH) {
            return Err(BadBody::TooDeep);
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        let body = reader.deserialize_map(Fields(text))?;
        reader.end()?;
        Ok(body)
    }

    /// The text of a field's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.place(name).map(|at| &*self.fields[at].1)
    }

    /// The value of a field that is a text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(|value| serde_json::from_str(value).ok())
    }

    /// The value of a field that is an object.
    pub fn object(&self, name: &str) -> Option<Self> {
        self.place(name).and_then(|at| Self::parse(&self.fields[at].1).ok())
    }

    /// Whether a field says something: it is there and not null.
    pub fn says(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value != "null")
    }

    /// All fields with the texts of their values, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Sets a field: in its place, if it was there, else as the last one.
    pub fn set(&mut self, name: &str, value: &Value) {
        self.put(name.into(), value.to_string().into());
    }

    /// Sets a field to what this JSON text says.
    pub fn set_text(&mut self, name: &str, json: String) {
        self.put(name.into(), json.into());
    }

    /// Takes a field out. `false`: it is not there.
    pub fn remove(&mut self, name: &str) -> bool {
        self.place(name).map(|at| self.fields.remove(at)).is_some()
    }

    /// Gives a field another name. It stays where it is.
    pub fn rename(&mut self, name: &str, other: &str) {
        if let Some(at) = self.place(name) {
            self.fields[at].0 = other.into();
        }
    }

    /// The JSON text in pieces: the values are shared, what is between them is new.
    pub fn pieces(&self) -> Vec<ByteString> {
        let mut pieces = Vec::with_capacity(self.fields.len() * 2 + 1);
        let mut between = String::from("{");
        for (at, (name, value)) in self.fields.iter().enumerate() {
            if at > 0 {
                between.push(',');
            }
            between.push_str(&quoted(name));
            between.push(':');
            pieces.push(std::mem::take(&mut between).into());
            pieces.push(value.clone());
        }
        between.push('}');
        pieces.push(between.into());
        pieces
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|(known, _)| *known == name)
    }

    fn put(&mut self, name: ByteString, value: ByteString) {
        match self.place(&name) {
            Some(at) => self.fields[at].1 = value,
            None => self.fields.push((name, value)),
        }
    }
}

impl fmt::Display for Body {
    /// As JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces().iter().try_for_each(|piece| f.write_str(piece))
    }
}

impl fmt::Debug for Body {
    /// The names alone: the values are what people say.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.fields.iter().map(|(name, _)| &**name)).finish()
    }
}

impl From<Map<String, Value>> for Body {
    fn from(fields: Map<String, Value>) -> Self {
        let mut body = Self::default();
        fields.iter().for_each(|(name, value)| body.set(name, value));
        body
    }
}

struct Fields<'a>(&'a ByteString);

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Body;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
        let mut body = Body::default();
        while let Some(name) = map.next_key::<String>()? {
            let value: &RawValue = map.next_value()?;
            body.put(name.into(), self.0.slice_ref(value.get()));
            if body.fields.len() > MOST_FIELDS {
                return Err(A::Error::custom(format_args!("it has more than {MOST_FIELDS} fields")));
            }
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(text: &'static str) -> Result<Body, BadBody> {
        Body::parse(&ByteString::from_static(text))
    }

    #[test]
    fn what_is_not_touched_is_written_as_it_came() {
        let mut body = parse(
            r#" {"model":"m", "z": {"b": 1.50, "a": [123456789012345678901234567890, 1E2]} ,"stream":null,"\u0061":"\u00e9"} "#,
        )
        .expect("a body");
        body.set("stream", &json!(true));
        body.set("last", &json!({"x": 1}));
        body.rename("model", "engine");
        let written = r#"{"engine":"m","z":{"b": 1.50, "a": [123456789012345678901234567890, 1E2]},"stream":true,"a":"\u00e9","last":{"x":1}}"#;
        assert_eq!(body.to_string(), written);
        assert_eq!((body.text("a"), body.text("z"), body.get("y")), (Some("é".to_owned()), None, None));
        assert_eq!((body.says("stream"), body.says("y")), (true, false));
        assert!(body.remove("z") && body.remove("last") && !body.remove("last"));
        assert_eq!(body.to_string(), r#"{"engine":"m","stream":true,"a":"\u00e9"}"#);
    }

    #[test]
    fn values_are_shared_and_not_copied() {
        let text = ByteString::from(format!(r#"{{"messages":"{}"}}"#, "x".repeat(100_000)));
        let body = Body::parse(&text).expect("a body");
        let inside = text.as_bytes().as_ptr_range();
        assert!(inside.contains(&body.pieces()[1].as_ptr()));
    }

    #[test]
    fn of_a_field_that_comes_twice_the_last_one_counts_alone() {
        let body = parse(r#"{"model":"a","x":1,"mod\u0065l":"b"}"#).expect("a body");
        assert_eq!(body.to_string(), r#"{"model":"b","x":1}"#);
    }

    #[test]
    fn what_is_no_object_or_too_much_of_one_is_refused() {
        for text in ["", "[]", "7", "null", r#"{"a":1} x"#, r#"{"a":}"#, r#"{"a":1"#, r#"{"a":"\x"}"#, "{\"a\":\"\n\"}"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        let nested = |deep: usize| {
            let text = format!(r#"{{"a":{}"[[[\"[[["{}}}"#, "[".repeat(deep), "]".repeat(deep));
            Body::parse(&text.into())
        };
        assert!(nested(MOST_DEPTH - 1).is_ok());
        assert!(matches!(nested(MOST_DEPTH), Err(BadBody::TooDeep)));
        let many = |count: usize| {
            let fields: Vec<String> = (0..count).map(|at| format!(r#""{at}":0"#)).collect();
            Body::parse(&format!("{{{}}}", fields.join(",")).into())
        };
        assert!(many(MOST_FIELDS).is_ok());
        assert!(matches!(many(MOST_FIELDS + 1), Err(BadBody::Json(_))));
    }
}
