//! The cache key: what makes two requests the same question. Pure.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::ids::{GroupName, UserId};

/// Changes when entries of older versions must not be read any more.
const SCHEMA: u32 = 1;

/// Fields that do not change what is answered.
const IGNORED: [&str; 5] = ["stream", "stream_options", "user", "metadata", "store"];

/// Who may share an answer. No answer ever crosses a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everyone.
    Global,
    /// The members of a group.
    Group(GroupName),
    /// One user.
    User(UserId),
    /// Whoever holds the API key of this name.
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

/// SHA-256, in lower-case hex, over the canonical JSON of schema, scope and every field that matters, known or not.
pub fn digest(scope: &Scope, request: &Map<String, Value>) -> String {
    // serde_json's maps are sorted by key at every depth, so equal requests have equal texts.
    let fields: Map<String, Value> = request
        .iter()
        .filter(|(name, _)| !IGNORED.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let canonical = Value::from(vec![Value::from(SCHEMA), scope.canonical(), Value::Object(fields)]).to_string();
    Sha256::digest(canonical.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(json: &str) -> Map<String, Value> {
        serde_json::from_str(json).expect("object")
    }

    #[test]
    fn the_order_of_fields_and_how_it_is_sent_do_not_matter_everything_else_does() {
        let base = digest(&Scope::Global, &map(r#"{"model":"m","messages":[{"role":"user","content":"q"}]}"#));
        let same =
            r#"{"messages":[{"content":"q","role":"user"}],"model":"m","stream":true,"user":"x","stream_options":{}}"#;
        assert_eq!(base, digest(&Scope::Global, &map(same)));
        let other = r#"{"model":"m","messages":[{"role":"user","content":"q"}],"x_unknown":1}"#;
        assert_ne!(base, digest(&Scope::Global, &map(other)));
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
