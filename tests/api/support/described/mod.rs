//! What the documents of the program say, beside what the tests see: each frame and each body is held to its schema. What is described
//! with its fields may have no others.

mod closed;
mod operation;
mod seen;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};
use sophie::describe::{Documents, USUAL_CHAT_PATH};

pub use seen::Seen;

/// The documents of a program with the usual addresses.
static DESCRIBED: LazyLock<Described> = LazyLock::new(|| {
    let documents = Documents::new(USUAL_CHAT_PATH);
    Described { openapi: Document::of(documents.openapi.value), asyncapi: Document::of(documents.asyncapi.value) }
});

struct Described {
    openapi: Document,
    asyncapi: Document,
}

/// A document whose schemas are closed, and those of them that were compiled already.
struct Document {
    value: Value,
    compiled: Mutex<HashMap<String, Arc<Validator>>>,
}

/// A frame that the program sent over one of its WebSockets.
pub fn frame(channel: &str, frame: &Value) {
    if let Err(wrong) = check_frame(channel, frame) {
        panic!("{wrong}");
    }
}

fn check_frame(channel: &str, frame: &Value) -> Result<(), String> {
    let document = &DESCRIBED.asyncapi;
    let sends = &document.value["operations"][format!("{channel}.send")]["messages"];
    let messages = sends.as_array().into_iter().flatten().filter_map(|message| message["$ref"].as_str());
    let mut messages = messages.map(|to| document.at(to));
    let Some(message) = messages.find(|message| message["name"] == frame["type"]) else {
        return Err(format!("no message of the channel {channel} is described that is {frame}"));
    };
    document.check(&message["payload"], frame)
}

/// A whole response, whose headers have names in lower case.
pub fn whole(method: &str, target: &str, status: u16, headers: &[(&str, &str)], body: &[u8]) {
    let mut seen = Seen::new(method, target, status, headers);
    seen.take(body);
    seen.end();
}

impl Document {
    fn of(mut value: Value) -> Self {
        closed::close(&mut value["components"]["schemas"]);
        for section in ["paths", "components"] {
            closed::close_contents(&mut value[section]);
        }
        Self { value, compiled: Mutex::default() }
    }

    /// What stands at a reference.
    fn at(&self, reference: &str) -> &Value {
        let found = self.value.pointer(reference.trim_start_matches('#'));
        found.unwrap_or_else(|| panic!("{reference} leads nowhere"))
    }

    /// What a value stands for, if it is a reference.
    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        value["$ref"].as_str().map_or(value, |reference| self.at(reference))
    }

    /// Holds a value to a schema.
    fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let schema = self.form_of(schema, value);
        let validator = self.validator(schema);
        let mut errors = validator.iter_errors(value).peekable();
        if errors.peek().is_none() {
            return Ok(());
        }
        let told: Vec<String> = errors
            .take(5)
            .map(|error| format!("at {:?}: {error} (schema {})", error.instance_path().as_str(), error.schema_path()))
            .collect();
        Err(format!("not as {schema} describes it:\n{value}\n{}", told.join("\n")))
    }

    /// Of several forms that are told from each other by their type, the one that a value has: what is wrong with it can then be said.
    fn form_of<'a>(&'a self, schema: &'a Value, value: &Value) -> &'a Value {
        let forms = self.resolved(schema)["oneOf"].as_array().into_iter().flatten();
        let kind = |form: &&Value| self.resolved(form)["properties"]["type"]["const"] == value["type"];
        let mut fitting = forms.filter(|_| value["type"].is_string()).filter(kind);
        match (fitting.next(), fitting.next()) {
            (Some(form), None) => form,
            _ => schema,
        }
    }

    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut compiled = self.compiled.lock().expect("nobody panics with it");
        let build = || {
            let whole = json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "components": self.value["components"],
                "allOf": [schema],
            });
            Arc::new(jsonschema::validator_for(&whole).unwrap_or_else(|error| panic!("no schema: {schema}: {error}")))
        };
        compiled.entry(schema.to_string()).or_insert_with(build).clone()
    }
}

#[test]
fn a_frame_that_is_not_as_it_is_described_is_found() {
    let good = json!({"type": "typing", "group": "team", "user": "alice"});
    assert_eq!(check_frame("sophie", &good), Ok(()));
    let with = |name: &str, value: Value| {
        let mut frame = good.clone();
        frame[name] = value;
        check_frame("sophie", &frame).expect_err("found")
    };
    let more = with("extra", json!(1));
    assert!(more.contains("extra") && more.contains("additionalProperties"), "{more}");
    assert!(with("group", json!("a b")).contains("/group"));
    assert!(with("type", json!("unheard")).contains("no message"));
    let half = json!({"type": "typing", "group": "team"});
    assert!(check_frame("sophie", &half).expect_err("found").contains("user"));
    // Also deep inside, and in one of several forms.
    let history = |event: Value| json!({"type": "history", "group": "g", "events": [event], "more": false});
    let said = json!({"id": "m", "role": "user", "author": "a", "text": "t", "created_at": "2026-01-01T00:00:00.000Z"});
    let event = json!({"type": "message", "seq": 1, "group": "g", "message": said});
    assert_eq!(check_frame("sophie", &history(event.clone())), Ok(()));
    let mut wrong = event;
    wrong["message"]["mood"] = json!("good");
    assert!(check_frame("sophie", &history(wrong)).is_err());
    let many = json!({"type": "group.joined", "group": "g", "members": [], "count": 1, "total": 1});
    assert!(check_frame("sophie", &many).is_err());
}
