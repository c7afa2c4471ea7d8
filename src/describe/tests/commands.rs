//! The commands are described as they are read.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sophie_actors::ids::{AnswerId, GroupName, MessageId};
use sophie_actors::protocol::{AskForPerson, Command, CommandBody, ErrorCode, GiveFeedback, JoinGroup, SendMessage};

use super::{documents, schema};

/// Each command of the core. A new one has no place in the match, which then does not compile.
fn all() -> Vec<CommandBody> {
    let group = || GroupName::parse("team").expect("legal");
    let send = SendMessage {
        text: String::new(),
        images: Vec::new(),
        group: None,
        assistant: true,
        metadata: None,
        steer: false,
    };
    let all = vec![
        CommandBody::Send(send),
        CommandBody::CancelAnswer(AnswerId::from("a")),
        CommandBody::RetryAnswer(MessageId::from("m")),
        CommandBody::RefreshToken(String::new()),
        CommandBody::Join(JoinGroup { group: group(), since: None, epoch: None }),
        CommandBody::Leave(group()),
        CommandBody::Members(group()),
        CommandBody::Typing(None),
        CommandBody::History { group: None, before: None, limit: 1 },
        CommandBody::Feedback(GiveFeedback { answer: None, rating: 5, text: None }),
        CommandBody::AskPerson(AskForPerson { group: None, text: None }),
        CommandBody::Ping,
    ];
    let place = |command: &CommandBody| match command {
        CommandBody::Send(_) => 0,
        CommandBody::CancelAnswer(_) => 1,
        CommandBody::RetryAnswer(_) => 2,
        CommandBody::RefreshToken(_) => 3,
        CommandBody::Join(_) => 4,
        CommandBody::Leave(_) => 5,
        CommandBody::Members(_) => 6,
        CommandBody::Typing(_) => 7,
        CommandBody::History { .. } => 8,
        CommandBody::Feedback(_) => 9,
        CommandBody::AskPerson(_) => 10,
        CommandBody::Ping => 11,
    };
    assert!(all.iter().map(place).eq(0..all.len()), "each of them stands in the list");
    all
}

/// The schemas of the commands, by their type.
fn described(asyncapi: &Value) -> Vec<(String, &Value)> {
    let messages = &asyncapi["channels"]["sophie"]["messages"];
    let of = asyncapi["operations"]["sophie.receive"]["messages"].as_array().expect("messages");
    of.iter()
        .map(|message| {
            let name = message["$ref"].as_str().and_then(|to| to.rsplit('/').next()).expect("a name");
            let payload = messages[name]["payload"]["$ref"].as_str().expect("a schema");
            let schema = schema(asyncapi, payload.rsplit('/').next().expect("a name"));
            assert_eq!(messages[name]["name"], schema["properties"]["type"]["const"], "{name}");
            (schema["properties"]["type"]["const"].as_str().expect("a type").to_owned(), schema)
        })
        .collect()
}

/// A value that fits a field.
fn fitting(field: &str) -> Value {
    match field {
        "assistant" => json!(true),
        "steer" => json!(true),
        "metadata" => json!({"k": 1}),
        "images" => json!([{"url": "data:image/gif;base64,R0lGODlh"}]),
        "since" | "before" | "limit" => json!(7),
        "rating" => json!(1),
        _ => json!("team"),
    }
}

#[test]
fn each_command_of_the_core_is_described_and_no_other() {
    let asyncapi = documents().asyncapi.value;
    let names: BTreeSet<String> = described(&asyncapi).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, all().iter().map(|command| command.name().to_owned()).collect());
}

#[test]
fn a_command_takes_each_field_that_is_described_and_needs_those_that_are_said_to_be_needed() {
    let asyncapi = documents().asyncapi.value;
    for (name, schema) in described(&asyncapi) {
        let mut whole = json!({});
        for field in schema["properties"].as_object().expect("fields").keys() {
            whole[field] = fitting(field);
        }
        whole["type"] = name.as_str().into();
        let read = Command::parse(&whole.to_string(), 100).unwrap_or_else(|bad| panic!("{name}: {bad:?}"));
        assert_eq!(read.body.name(), name);
        let required: Vec<&str> =
            schema["required"].as_array().expect("names").iter().filter_map(Value::as_str).collect();
        for field in schema["properties"].as_object().expect("fields").keys() {
            let mut without = whole.clone();
            without.as_object_mut().expect("fields").remove(field);
            let read = Command::parse(&without.to_string(), 100);
            assert_eq!(read.is_err(), required.contains(&field.as_str()), "{name} without {field}");
            if field != "type" && field != "token" {
                // What is described is looked at: anything else there is refused.
                let mut wrong = whole.clone();
                wrong[field] = json!([{}]);
                let refused = Command::parse(&wrong.to_string(), 100).expect_err("refused").refusal;
                assert_eq!(refused.code, ErrorCode::BadRequest, "{name} with a wrong {field}");
            }
        }
    }
}
