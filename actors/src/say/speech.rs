//! What is said, and what makes two of it the same.

use bytestring::ByteString;
use serde_json::{Map, Value};

use super::Speaker;
use crate::answers::AskedWith;
use crate::ids::{GroupName, MessageId, digest};
use crate::node::Node;
use crate::protocol::{Image, ImageLimits, Logged, Message, Role, timestamp};
use crate::store::Once;

/// Under what something said is known when it comes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Whose ids these are: a session, an API key, a group of Django's.
    pub scope: String,
    /// The id within the scope.
    pub id: String,
    /// How long it is remembered, in seconds.
    pub seconds: u64,
}

/// Something that is to be said in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speech {
    /// Where.
    pub group: GroupName,
    /// What.
    pub text: String,
    /// What is shown with it: the assistant is asked [`Self::with`] it, too.
    pub images: Vec<Image>,
    /// In whose role.
    pub role: Role,
    /// Whose name it bears.
    pub author: String,
    /// What else the sender says of it.
    pub metadata: Option<Map<String, Value>>,
    /// The assistant is asked.
    pub assistant: bool,
    /// With what the assistant is asked beside the text. It is not logged.
    pub with: Option<Box<AskedWith>>,
    /// Said again under the same key, it is said once.
    pub key: Option<Key>,
}

impl Speech {
    /// Its key, with what tells it from something else under the same key: all that its sender chose. In a session the author is the
    /// session's, whatever token was shown last.
    pub(super) fn once(&self, speaker: &Speaker) -> Option<Once> {
        let Key { scope, id, seconds } = self.key.clone()?;
        let named = !matches!(speaker, Speaker::Session { .. });
        let named = named.then_some((&self.role, &self.author));
        // Some clients write no metadata as `{}`. serde_json's maps are sorted by key, so equal ones have equal texts.
        let metadata = self.metadata.as_ref().filter(|map| !map.is_empty());
        let same = (&self.group, named, &self.text, self.assistant, metadata);
        let parts = self.with.as_ref().map(|with| &with.parts).filter(|parts| !parts.is_empty());
        let same = match parts {
            Some(parts) => serde_json::to_vec(&(same, parts)),
            None => serde_json::to_vec(&same),
        };
        Some(Once { scope, id, fingerprint: digest(same.unwrap_or_default()), seconds })
    }

    /// As it is logged, and the id that it has there.
    pub(super) fn into_logged(self) -> (MessageId, ByteString) {
        let Self { group, text, images, role, author, metadata, .. } = self;
        let id = MessageId::random(&group);
        let message = Message { id: id.clone(), role, author, text, images, created_at: timestamp(), metadata };
        (id, Logged::Message { group, message }.encode())
    }
}

/// How many images somebody may say at once, and how large each may be.
pub const fn image_limits(node: &Node) -> ImageLimits {
    ImageLimits { most: node.options.max_images, bytes: node.options.max_image_bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{SessionId, UserId};
    use crate::openai::MessagePart;

    fn speech() -> Speech {
        Speech {
            group: GroupName::parse("g").expect("legal"),
            text: "t".into(),
            images: Vec::new(),
            role: Role::User,
            author: "a".into(),
            metadata: None,
            assistant: true,
            with: None,
            key: Some(Key { scope: "s".into(), id: "1".into(), seconds: 1 }),
        }
    }

    fn fingerprint(speaker: &Speaker, change: impl FnOnce(&mut Speech)) -> String {
        let mut speech = speech();
        change(&mut speech);
        speech.once(speaker).expect("it has a key").fingerprint
    }

    fn map(json: &str) -> Option<Map<String, Value>> {
        serde_json::from_str(json).expect("object")
    }

    #[test]
    fn a_fingerprint_tells_every_field_apart_and_not_the_order_of_metadata() {
        let base = fingerprint(&Speaker::Operator, |_| {});
        let changes: [fn(&mut Speech); 7] = [
            |it| it.text = "u".into(),
            |it| it.assistant = false,
            |it| it.group = GroupName::parse("h").expect("legal"),
            |it| it.metadata = map(r#"{"a":1,"b":2}"#),
            |it| it.author = "b".into(),
            |it| it.role = Role::System,
            |it| {
                let parts = vec![MessagePart::Text { text: "t".into() }];
                it.with = Some(Box::new(AskedWith { parts, ..AskedWith::default() }));
            },
        ];
        for (n, change) in changes.into_iter().enumerate() {
            assert_ne!(base, fingerprint(&Speaker::Operator, change), "{n}");
        }
        assert_eq!(base, fingerprint(&Speaker::Operator, |it| it.metadata = map("{}")));
        let ordered = |json: &str| fingerprint(&Speaker::Operator, |it| it.metadata = map(json));
        assert_eq!(ordered(r#"{"a":1,"b":2}"#), ordered(r#"{"b":2,"a":1}"#));
    }

    #[test]
    fn a_fingerprint_is_the_same_in_every_version() {
        // Nodes of two versions look at the same keys in Redis.
        let of = |metadata| fingerprint(&Speaker::Operator, |it| it.metadata = metadata);
        assert_eq!(of(None), "2176dbfba30e2b884e4bf4a4349c0a4e");
        assert_eq!(of(map(r#"{"b":[1.5,"é\n"],"a":null}"#)), "8d603dca10b2b56d563001484c5ee263");
    }

    #[test]
    fn in_a_session_it_is_the_same_whoever_the_newest_token_names() {
        let session = Speaker::Session {
            session: SessionId::parse("s").expect("legal"),
            user: UserId::from("a"),
            is_guest: true,
            address: [127, 0, 0, 1].into(),
            context: None,
            protocol: crate::protocol::Protocol::Sophie,
        };
        assert_eq!(fingerprint(&session, |_| {}), fingerprint(&session, |it| it.author = "b".into()));
    }

    #[test]
    fn what_has_no_key_may_be_said_twice() {
        assert_eq!(Speech { key: None, ..speech() }.once(&Speaker::Operator), None);
    }
}
