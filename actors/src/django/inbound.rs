//! What comes from Django: messages are logged once and delivered, frames and closes go to the sockets of this node
//! (every node gets its own copy), anything else becomes an `event`.

use std::time::Duration;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use crate::aside::set_aside;
use crate::channel_layer::{Addressee, Fields, HeardAt, Inbound};
use crate::ids::{GroupName, SESSION_CHANNEL, SessionId, hex, random_text};
use crate::node::Node;
use crate::protocol::{Close, CloseCode, Event, METADATA_DEPTH, Role, is_map_deeper};
use crate::registry::Fanout;
use crate::say::{Key, Speaker, Speech, Unsaid, say};
use crate::store::{Hearing, StoreError};

/// Who speaks when a message names nobody.
const AUTHOR: &str = "application";
/// How long a copy of a message is known as such, in seconds.
const COPIES_SECONDS: u64 = 60;
/// Within how many seconds of each other equal messages are told apart by their number (pubsub).
const EQUAL_SECONDS: u64 = 10;
/// A store that is away is tried again after this: messages wait meanwhile, in order.
const RETRY: Duration = Duration::from_millis(250);
/// How long a message waits for a store that is away. Beyond, it would have expired in the channel layer.
const GIVE_UP: Duration = Duration::from_secs(60);
/// The close code of a `websocket.close` that names none, as in Django Channels.
const NORMAL: u16 = 1000;

/// What tells a message from an equal one: the score that its sender gave it, or when it was heard.
type Sent<'a> = (Option<&'a str>, Option<HeardAt>);

enum Target {
    Group(GroupName),
    Session(SessionId),
}

/// Takes what comes, for ever.
pub(crate) async fn listen(node: &Node) {
    loop {
        for message in node.layer.receive().await {
            let Inbound { to, sent_at, heard, fields } = message;
            for target in targets(node, to) {
                take(node, target, (sent_at.as_deref(), heard), &fields).await;
            }
        }
    }
}

fn targets(node: &Node, to: Addressee) -> Vec<Target> {
    match to {
        Addressee::Groups(groups) => groups.into_iter().map(Target::Group).collect(),
        Addressee::Channel(local) => {
            let target = match local.strip_prefix(SESSION_CHANNEL).and_then(|name| node.roster.session_called(name)) {
                Some(session) => Some(Target::Session(session)),
                // Only of groups that somebody here is in: what was for a session that has gone makes no group.
                None => node.roster.group_called(&local).map(Target::Group),
            };
            if target.is_none() {
                node.metrics.from_django.with_label_values(&["nobody"]).inc();
            }
            target.into_iter().collect()
        }
    }
}

async fn take(node: &Node, target: Target, sent: Sent<'_>, fields: &Fields) {
    let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default();
    let text = fields.get("text").and_then(Value::as_str);
    let known = match (kind, text) {
        ("chat.message", Some(_)) => "message",
        ("websocket.send", Some(_)) => "frame",
        ("websocket.close", _) => "close",
        _ => "event",
    };
    node.metrics.from_django.with_label_values(&[known]).inc();
    match (known, text) {
        ("message", Some(text)) => log_message(node, target, sent, text, fields).await,
        ("frame", Some(text)) => send(node, target, text.into()).await,
        ("close", _) => close(node, target, fields).await,
        _ => {
            let event = Value::Object(fields.clone());
            let group = match &target {
                Target::Group(group) => group.clone(),
                Target::Session(session) => session.home(),
            };
            send(node, target, Event::Foreign { group: &group, event: &event }.encode()).await;
        }
    }
}

/// To the sockets of this node: the other nodes have copies of their own.
async fn send(node: &Node, target: Target, frame: bytestring::ByteString) {
    _ = match target {
        Target::Group(group) => node.registry.fan_out(Fanout { group, frame, except: None }).await,
        Target::Session(session) => node.registry.send_to(session, frame).await,
    };
}

async fn close(node: &Node, target: Target, fields: &Fields) {
    let code = fields.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    // What may stand in a close frame (RFC 6455, 7.4).
    let code = code.filter(|code| matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)).unwrap_or(NORMAL);
    let close = Close::from(CloseCode::ByApplication(code));
    _ = match target {
        Target::Group(group) => node.registry.close_group(group, close).await,
        Target::Session(session) => node.registry.disconnect(session, close, None).await.map(|_| ()),
    };
}

async fn log_message(node: &Node, target: Target, (sent_at, heard): Sent<'_>, text: &str, fields: &Fields) {
    let group = match target {
        Target::Group(group) => group,
        Target::Session(session) => session.home(),
    };
    let mut speech = speech(&group, text, fields);
    speech.key = sent_at.map(|sent_at| copy_of(&group, sent_at, fields));
    // Where nothing tells a message from an equal one, its number among those that came with it does.
    let equal = format!("{group}:{}", copy_of(&group, "", fields).id);
    let HeardAt { at, since } = heard.unwrap_or_else(HeardAt::now);
    let hearing = Hearing { what: &equal, name: &random_text(16), at, since };
    let began = Instant::now();
    loop {
        if speech.key.is_none() {
            match node.stores.leases.number(&hearing, EQUAL_SECONDS).await {
                Ok(number) => speech.key = Some(copy_of(&group, &number, fields)),
                Err(error) if waits(node, &group, began, &error) => {
                    sleep(RETRY).await;
                    continue;
                }
                Err(_) => return,
            }
        }
        // Every node of the group says it, and the first one logs it: so it is logged also when another node did not hear it.
        match say(node, &Speaker::Django, speech.clone(), |_| {}).await {
            Err(Unsaid::Unlogged(error)) if waits(node, &group, began, &error) => sleep(RETRY).await,
            _ => return,
        }
    }
}

/// Whether a message that could not be logged waits for the store. What does not is lost, and said to be.
fn waits(node: &Node, group: &GroupName, began: Instant, error: &StoreError) -> bool {
    match error {
        // Waiting mends nothing, and the messages for other groups wait behind it.
        StoreError::Corrupt(_) => set_aside("group", group, error),
        _ if began.elapsed() < GIVE_UP => {
            log::debug!(error:%; "a message of django is not logged yet");
            return true;
        }
        _ => log::error!(
            event = "django_message_lost", group:%, error:%;
            "a message of django is lost, the store was away for too long"
        ),
    }
    node.metrics.from_django.with_label_values(&["lost"]).inc();
    false
}

/// Every node of a group gets a copy of a message: they are one by the moment of sending and the content.
fn copy_of(group: &GroupName, sent_at: &str, fields: &Fields) -> Key {
    let mut digest = Sha256::new();
    digest.update(sent_at);
    digest.update([0]);
    // The maps are sorted by key, so equal messages have equal texts.
    digest.update(serde_json::to_string(fields).unwrap_or_default());
    let id = hex(digest.finalize());
    Key { scope: format!("django:{group}"), id, seconds: COPIES_SECONDS }
}

fn speech(group: &GroupName, text: &str, fields: &Fields) -> Speech {
    let role = fields.get("role").and_then(|role| serde_json::from_value(role.clone()).ok());
    let author = match fields.get("author") {
        Some(Value::String(author)) if !author.is_empty() => author.clone(),
        // A primary key of Django's.
        Some(Value::Number(key)) => key.to_string(),
        _ => AUTHOR.to_owned(),
    };
    // Those of Sophie's own messages have no meaning on the way in.
    const OWN: [&str; 9] = ["type", "text", "author", "role", "group", "seq", "id", "created_at", "metadata"];
    let mut metadata: Map<String, Value> =
        fields.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default();
    let others = fields.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
    metadata.extend(others.map(|(name, value)| (name.clone(), value.clone())));
    if is_map_deeper(&metadata, METADATA_DEPTH) {
        // Nobody is there to be refused; a log that cannot be read again would cost more.
        log::warn!(
            event = "metadata_left_out", because = "nested_too_deep", from = "django", group:%;
            "a message's metadata is left out"
        );
        metadata.clear();
    }
    Speech {
        images: Vec::new(),
        group: group.clone(),
        text: text.to_owned(),
        role: role.unwrap_or(Role::System),
        author,
        metadata: (!metadata.is_empty()).then_some(metadata),
        assistant: false,
        with: None,
        key: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn group() -> GroupName {
        GroupName::parse("team").expect("legal")
    }

    fn fields(value: Value) -> Fields {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn what_a_message_does_not_know_becomes_metadata() {
        let sent = fields(json!({
            "type": "chat.message", "text": "hi", "author": "alice", "role": "user", "seq": 7,
            "metadata": {"a": 1}, "order": 42,
        }));
        let message = speech(&group(), "hi", &sent);
        assert_eq!((message.author.as_str(), message.role), ("alice", Role::User));
        assert_eq!(message.metadata, Some(fields(json!({"a": 1, "order": 42}))));
    }

    #[test]
    fn a_message_of_nobody_is_the_applications() {
        let message = speech(&group(), "hi", &fields(json!({"type": "chat.message", "text": "hi", "role": "king"})));
        assert_eq!((message.author.as_str(), message.role, message.metadata), (AUTHOR, Role::System, None));
        let author = |author: Value| super::speech(&group(), "hi", &fields(json!({"author": author}))).author;
        assert_eq!(
            (author(json!(7)).as_str(), author(json!("")).as_str(), author(json!([])).as_str()),
            ("7", AUTHOR, AUTHOR)
        );
    }

    #[test]
    fn metadata_that_could_not_be_read_again_is_left_out() {
        let nested = |deep: usize| (1..deep).fold(json!({}), |inner, _| json!({ "a": inner }));
        let read = |deep: usize| {
            let sent = fields(json!({"type": "chat.message", "text": "hi", "metadata": {}, "x": nested(deep)}));
            super::speech(&group(), "hi", &sent).metadata.is_some()
        };
        assert!(read(31));
        assert!(!read(32) && !read(60));
    }

    #[test]
    fn copies_are_one_and_repetitions_are_not() {
        let sent = fields(json!({"type": "chat.message", "text": "hi"}));
        assert_eq!(copy_of(&group(), "1.5", &sent), copy_of(&group(), "1.5", &sent));
        assert_ne!(copy_of(&group(), "1.5", &sent), copy_of(&group(), "1.6", &sent));
    }
}
