//! Errors as OpenAI writes them, since its SDKs read them: `{"error":{"message","type","param","code"}}`.

use std::fmt;
use std::ops::Index;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What the request, not the service, is at fault for.
pub const INVALID_REQUEST: &str = "invalid_request_error";
/// What the service is at fault for.
pub const SERVER: &str = "server_error";
/// Too many requests.
pub const RATE_LIMIT: &str = "rate_limit_error";

/// The fields that every error has.
pub const FIELDS: [&str; 4] = ["message", "type", "param", "code"];

/// An error object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ErrorObject(Map<String, Value>);

impl ErrorObject {
    /// An error of this type (`type`), told by `code` if programs are to tell it from others of its type.
    pub fn new(kind: &str, code: Option<&str>, message: &str) -> Self {
        Self::from_fields(Map::new(), kind, message).called(code)
    }

    /// A request that is not right.
    pub fn invalid(message: &str) -> Self {
        Self::new(INVALID_REQUEST, None, message)
    }

    /// An error with these fields, and with those of the four usual ones that they lack.
    pub fn from_fields(mut fields: Map<String, Value>, kind: &str, message: &str) -> Self {
        fields.entry("message").or_insert(message.into());
        fields.entry("type").or_insert(kind.into());
        fields.entry("param").or_insert(Value::Null);
        fields.entry("code").or_insert(Value::Null);
        Self(fields)
    }

    /// Which field of the request it is about.
    pub fn about(mut self, param: &str) -> Self {
        self.0.insert("param".into(), param.into());
        self
    }

    /// What a program can tell it by.
    pub fn called(mut self, code: impl Into<Value>) -> Self {
        self.0.insert("code".into(), code.into());
        self
    }

    /// The body that bears it, which is also what is sent inside a stream that had begun.
    pub fn body(&self) -> Value {
        json!({ "error": self })
    }
}

impl Index<&str> for ErrorObject {
    type Output = Value;

    /// One of its fields; null if it does not have it.
    fn index(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }
}

impl fmt::Display for ErrorObject {
    /// As JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        json!(self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ReportedError;
    use super::*;

    #[test]
    fn an_error_is_read_as_it_was_written() {
        let error = ErrorObject::new("t", Some("c"), "m").about("p");
        assert_eq!(error.body(), json!({"error": {"message": "m", "type": "t", "param": "p", "code": "c"}}));
        let read = ReportedError::find(&error.body()).expect("an error");
        assert_eq!((&*read.kind, &*read.code, &*read.message), ("t", "c", "m"));
        assert_eq!(read.object, json!(error));
    }
}
