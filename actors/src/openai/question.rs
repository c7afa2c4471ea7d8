//! A request for a chat completion as a caller sends it: what of it has to be known, everything else as it came.

use bytes::Bytes;
use bytestring::ByteString;

use super::error::ErrorObject;
use super::{Body, stream_options};

/// The longest name of a model, in bytes. Others have no longer ones, and every name is remembered in figures.
const LONGEST_MODEL: usize = 256;

/// The request.
#[derive(Debug)]
pub struct Question {
    /// What the backend is asked.
    pub body: Body,
    /// Whether a stream is wanted.
    pub streams: bool,
    /// Whether the stream's last chunk is to count the tokens.
    pub wants_usage: bool,
}

impl Question {
    /// Takes a body apart, as far as has to be known of it.
    ///
    /// # Errors
    /// It is no request for a chat completion.
    pub fn read(bytes: Bytes) -> Result<Self, ErrorObject> {
        let body = read_object(bytes)?;
        read_model(&body)?;
        Self::of(body)
    }

    /// The same of a body that names a model.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn of(mut body: Body) -> Result<Self, ErrorObject> {
        match body.get("messages") {
            Some(messages) if messages.starts_with('[') => {}
            None | Some("null") => return Err(missing("messages")),
            Some(_) => return Err(wrong_type("messages", "an array of messages")),
        }
        let streams = match body.get("stream") {
            None | Some("null" | "false") => false,
            Some("true") => true,
            Some(_) => return Err(wrong_type("stream", "a boolean")),
        };
        // Who wants the answer whole gets it as the backend writes whole ones, in which nothing can be lost.
        body.set("stream", &streams.into());
        let asked = if streams { stream_options::ask(&mut body) } else { Ok(false) };
        let wants_usage = asked.map_err(|_| wrong_type("stream_options", "an object"))?;
        Ok(Self { body, streams, wants_usage })
    }
}

/// Takes a body apart.
///
/// # Errors
/// It is not one JSON object.
pub fn read_object(bytes: Bytes) -> Result<Body, ErrorObject> {
    let not_json = |error: &dyn std::fmt::Display| {
        ErrorObject::invalid(&format!("The body of the request is not one JSON object: {error}."))
    };
    let text = ByteString::try_from(bytes).map_err(|error| not_json(&error))?;
    Body::parse(&text).map_err(|error| not_json(&error))
}

/// Checks that a body names a model.
///
/// # Errors
/// It names none, or one of too long a name.
pub fn read_model(body: &Body) -> Result<(), ErrorObject> {
    // A letter may be written as six.
    let too_long = body.get("model").is_some_and(|model| model.len() > LONGEST_MODEL * 6 + 2);
    match body.text("model").filter(|_| !too_long) {
        Some(model) if model.len() > LONGEST_MODEL => Err(long_model()),
        None if too_long => Err(long_model()),
        Some(model) if names_one(&model) => Ok(()),
        None if body.says("model") => Err(wrong_type("model", "a string")),
        _ => Err(ErrorObject::invalid("You must provide a model parameter.").about("model")),
    }
}

/// A field that must be there is not.
pub(super) fn missing(param: &str) -> ErrorObject {
    let message = format!("Missing required parameter: '{param}'.");
    ErrorObject::invalid(&message).about(param).called("missing_required_parameter")
}

/// Whether a text names a model. Routers take several with commas between them, and one that finds none there asks which it likes: so
/// a caller who may ask some models alone must name one.
fn names_one(model: &str) -> bool {
    model.split(',').any(|name| !name.trim().is_empty())
}

fn long_model() -> ErrorObject {
    let message = format!("Invalid 'model': the name of a model has at most {LONGEST_MODEL} bytes.");
    ErrorObject::invalid(&message).about("model").called("string_above_max_length")
}

/// A field has a value of another kind.
pub(super) fn wrong_type(param: &str, expected: &str) -> ErrorObject {
    ErrorObject::invalid(&format!("Invalid type for '{param}': expected {expected}."))
        .about(param)
        .called("invalid_type")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(body: Value) -> Result<Question, ErrorObject> {
        Question::read(Bytes::from(body.to_string()))
    }

    fn sent(question: &Question) -> Value {
        serde_json::from_str(&question.body.to_string()).unwrap()
    }

    #[test]
    fn what_is_not_known_stays_as_it_came() {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": null, "x": 1}], "x_new": [1.5, null]});
        let whole = read(body.clone()).unwrap();
        assert!(!whole.streams);
        let mut expected = body;
        expected["stream"] = false.into();
        assert_eq!(sent(&whole), expected);
    }

    #[test]
    fn the_count_of_a_stream_is_always_asked_for_and_told_to_who_wants_it() {
        let ask = |options: Value| {
            read(json!({"model": "m", "messages": [], "stream": true, "stream_options": options})).unwrap()
        };
        for (options, wants) in [
            (json!(null), false),
            (json!({}), false),
            (json!({"include_usage": false}), false),
            (json!({"include_usage": true, "x": 1}), true),
        ] {
            let question = ask(options.clone());
            assert_eq!(question.wants_usage, wants, "{options}");
            assert_eq!(sent(&question)["stream_options"]["include_usage"], true);
        }
        assert_eq!(sent(&ask(json!({"include_usage": true, "x": 1})))["stream_options"]["x"], 1);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, param) in [
            (json!({"messages": []}), "model"),
            (json!({"model": 7, "messages": []}), "model"),
            (json!({"model": " ", "messages": []}), "model"),
            (json!({"model": "\t, ,", "messages": []}), "model"),
            (json!({"model": "é".repeat(129), "messages": []}), "model"),
            (json!({"model": "m".repeat(500_000), "messages": []}), "model"),
            (json!({"model": "m"}), "messages"),
            (json!({"model": "m", "messages": "hi"}), "messages"),
            (json!({"model": "m", "messages": [], "stream": "yes"}), "stream"),
            (json!({"model": "m", "messages": [], "stream": true, "stream_options": 1}), "stream_options"),
        ] {
            assert_eq!(read(body.clone()).unwrap_err().body()["error"]["param"], param, "{body}");
        }
        assert!(read(json!({"model": "é".repeat(128), "messages": []})).is_ok());
        assert!(read(json!([])).is_err());
    }
}
