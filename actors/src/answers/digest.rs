//! The cache key: what makes two requests the same question. Pure.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::ids::{GroupName, UserId, hex};
use crate::openai::{Body, Endpoint, canonical};

/// Changes when entries of older versions must not be read any more.
const SCHEMA: u32 = 2;

/// Who may share an answer. No answer ever crosses a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everyone.
    Global,
    /// The members of a group.
    Group(GroupName),
    /// One user.
    User(UserId),
    /// Whoever holds the API key of this digest.
    Key(String),
}

impl Scope {
    fn canonical(&self) -> Value {
        match self {
            Self::Global => Value::from("global"),
            Self::Group(group) => Value::from(vec!["group", group.as_str()]),
            Self::User(user) => Value::from(vec!["user", user.as_str()]),
            Self::Key(name) => Value::from(vec!["key", name.as_str()]),
        }
    }
}

/// SHA-256, in lower-case hex, over the canonical JSON of schema, scope and every field that matters of a chat completion.
pub fn digest(scope: &Scope, request: &Body) -> String {
    digest_for(Endpoint::ChatCompletions, scope, request)
}

/// The same of whatever is asked for: a body that could ask for either is two questions.
pub fn digest_for(endpoint: Endpoint, scope: &Scope, request: &Body) -> String {
    let mut sha = Sha256::new();
    let asked = match endpoint {
        Endpoint::ChatCompletions => "",
        Endpoint::Embeddings => "\"embeddings\",",
    };
    sha.update(format!("[{SCHEMA},{},{asked}{{", scope.canonical()));
    canonical::write(request, |piece| sha.update(piece));
    sha.update("}]");
    hex(sha.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(json: &str) -> Body {
        Body::parse(&json.to_owned().into()).expect("object")
    }

    #[test]
    fn the_order_of_fields_and_how_it_is_sent_and_written_do_not_matter() {
        let base = digest(&Scope::Global, &map(r#"{"model":"m","messages":[{"role":"user","content":"é\n/\"\\"}]}"#));
        for same in [
            r#"{"messages":[{"content":"é\n/\"\\","role":"user"}],"model":"m","stream":true,"user":"x","stream_options":{}}"#,
            "{ \"model\" :\t\"m\",\r\n\"messages\" : [ { \"role\": \"user\", \"content\": \"\\u00e9\\u000a\\/\\\"\\\\\" } ] }",
        ] {
            assert_eq!(base, digest(&Scope::Global, &map(same)), "{same}");
        }
    }

    #[test]
    fn everything_else_matters_the_order_inside_a_field_and_each_space_of_a_text_too() {
        let bodies = [
            r#"{"model":"m","f":{"properties":{"reasoning":1,"answer":2}}}"#,
            r#"{"model":"m","f":{"properties":{"answer":2,"reasoning":1}}}"#,
            r#"{"model":"m","f":{"properties":{"reasoning":1,"answer":2}},"x_unknown":1}"#,
            r#"{"model":"m","f":{"properties":{"reasoning":1,"answer":12345678901234567890123}}}"#,
            r#"{"model":"m","f":{"properties":{"reasoning":1,"answer":12345678901234567890124}}}"#,
            r#"{"model":"m","f":" a"}"#,
            r#"{"model":"m","f":"a"}"#,
            r#"{"model":"m","f":["a","b"]}"#,
            r#"{"model":"m","f":["a\",\"b"]}"#,
            r#"{"model":"m","messages":[{"role":"user","content":[{"a":1,"b":2}]}]}"#,
            r#"{"model":"m","messages":[{"role":"user","content":[{"b":2,"a":1}]}]}"#,
            r#"{"model":"m","messages":[{"role":"user","content":1},{}]}"#,
            r#"{"model":"m","messages":[{"role":"user","content":1,"x":{}}]}"#,
            r#"{"model":"m","f":1}"#,
            r#"{"model":"m","f":"1"}"#,
        ];
        let digests: Vec<_> = bodies.iter().map(|body| digest(&Scope::Global, &map(body))).collect();
        for (at, one) in digests.iter().enumerate() {
            assert!(digests.iter().skip(at + 1).all(|other| other != one), "{}", bodies[at]);
        }
    }

    #[test]
    fn what_was_kept_by_an_earlier_version_is_found_unless_the_schema_says_otherwise() {
        let asked =
            r#"{"x":[1, {"a":1.50}],"model":"m","messages":[{"role":"user","content":"\u00e9"}],"stream":true}"#;
        let kept = "b15b9a37f3960f558a52352175bda1a47e742517f89b53021023ae380548a7b0";
        assert_eq!(digest(&Scope::Global, &map(asked)), kept);
    }

    #[test]
    fn a_body_that_could_ask_for_either_is_two_questions() {
        let either = map(r#"{"model":"m","messages":[],"input":"a"}"#);
        let embeddings = digest_for(Endpoint::Embeddings, &Scope::Global, &either);
        assert_ne!(embeddings, digest(&Scope::Global, &either));
        let of_user = map(r#"{"input":"a","user":"u","messages":[],"model":"m"}"#);
        assert_eq!(embeddings, digest_for(Endpoint::Embeddings, &Scope::Global, &of_user));
    }

    #[test]
    fn no_answer_crosses_a_scope() {
        let request = map(r#"{"model":"m"}"#);
        let group = GroupName::parse("alice").expect("legal");
        let digests = [
            digest(&Scope::Global, &request),
            digest(&Scope::Group(group), &request),
            digest(&Scope::User(UserId::from("alice")), &request),
            digest(&Scope::User(UserId::from("bob")), &request),
            digest(&Scope::Key("alice".into()), &request),
            digest(&Scope::Key("bob".into()), &request),
        ];
        for (at, one) in digests.iter().enumerate() {
            assert!(digests.iter().skip(at + 1).all(|other| other != one));
        }
    }
}
