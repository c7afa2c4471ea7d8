//! What Django is told: a fixed set of types, of which `channel.notify_django` chooses. Sent in order, beside the way of
//! the messages themselves, which it never delays.

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::channel_layer::{ChannelLayer, Fields};
use crate::ids::{AnswerId, GroupName, MessageId};
use crate::metrics::Metrics;
use crate::protocol::{DjangoEvent, Logged, timestamp_of};
use crate::repeated::Reminder;
use crate::store::{AnswerStart, Feedback, PersonTold, StoredEvent, Told};

/// Messages that may wait. Beyond, they are dropped and counted, as the channel layer does at its capacity.
const QUEUE: usize = 10_000;

/// Tells the members of groups that are not Sophie nodes.
#[derive(Clone)]
pub struct Notifier {
    kinds: Vec<DjangoEvent>,
    queue: mpsc::Sender<(GroupName, Fields)>,
    metrics: Metrics,
}

impl Notifier {
    /// Tells of `kinds`, as soon as its courier ([`Courier::run`]) runs.
    pub fn new(kinds: Vec<DjangoEvent>, metrics: Metrics) -> (Self, Courier) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        (Self { kinds, queue, metrics: metrics.clone() }, Courier { waiting, metrics })
    }

    /// An event was logged by this node.
    pub fn logged(&self, event: &StoredEvent) {
        // Most services tell Django nothing: then nothing is parsed.
        if !self.kinds.is_empty()
            && let Some((kind, group, fields)) = of_logged(event)
        {
            self.push(kind, group, fields);
        }
    }

    /// An answer of this node is being written.
    pub fn started(&self, group: &GroupName, answer: &AnswerId, message: &MessageId, start: &AnswerStart) {
        if self.kinds.contains(&DjangoEvent::AnswerStart) {
            let (group, answer, message, start) = (group.clone(), answer.clone(), message.clone(), start.clone());
            self.told(&Told::Started { group, answer, message, start });
        }
    }

    /// An answer of this node grew.
    pub fn grew(&self, group: &GroupName, answer: &AnswerId, offset: usize, text: &str) {
        if self.kinds.contains(&DjangoEvent::AnswerDelta) {
            self.told(&Told::Grew { group: group.clone(), answer: answer.clone(), offset, text: text.into() });
        }
    }

    /// Somebody asked at this node for a person, or an operator settled that here.
    pub fn person(&self, told: &PersonTold) {
        if self.kinds.contains(&DjangoEvent::Person) {
            self.told(&Told::Person(told.clone()));
        }
    }

    /// Somebody rated something at this node.
    pub fn rated(&self, feedback: &Feedback) {
        if self.kinds.contains(&DjangoEvent::Feedback) {
            self.told(&Told::Rated(feedback.clone()));
        }
    }

    fn told(&self, told: &Told) {
        if let Some((kind, group, fields)) = of_told(told) {
            self.push(kind, group, fields);
        }
    }

    fn push(&self, kind: DjangoEvent, group: GroupName, fields: Fields) {
        if self.kinds.contains(&kind) && self.queue.try_send((group, fields)).is_err() {
            self.metrics.to_django.with_label_values(&["dropped"]).inc();
        }
    }
}

/// Carries a [`Notifier`]'s messages out.
pub struct Courier {
    waiting: mpsc::Receiver<(GroupName, Fields)>,
    metrics: Metrics,
}

impl Courier {
    /// Until the notifier is gone.
    pub async fn run(mut self, layer: Arc<dyn ChannelLayer>) {
        let mut reminder = Reminder::default();
        while let Some((group, fields)) = self.waiting.recv().await {
            let outcome = match layer.tell_group(&group, &fields).await {
                Ok(told) => {
                    self.metrics.to_django.with_label_values(&["sent"]).inc_by(told.reached as u64);
                    (told.full > 0).then(|| format!("{} queues were at their capacity", told.full))
                }
                Err(error) => Some(error.to_string()),
            };
            let Some(reason) = outcome else { continue };
            self.metrics.to_django.with_label_values(&["failed"]).inc();
            if reminder.is_due(Instant::now()) {
                log::warn!(event = "django_not_told", group:%, reason; "django was not told everything");
            }
        }
    }
}

/// What Django sees of a logged event.
pub(crate) fn of_logged(event: &StoredEvent) -> Option<(DjangoEvent, GroupName, Fields)> {
    let logged: Logged = serde_json::from_str(&event.body).ok()?;
    let (kind, group, flat) = match logged {
        Logged::Message { group, message } => (DjangoEvent::Message, group, serde_json::to_value(message)),
        Logged::AnswerEnd { group, end } => (DjangoEvent::AnswerEnd, group, serde_json::to_value(end)),
        Logged::AnswerError { group, failure } => (DjangoEvent::AnswerError, group, serde_json::to_value(failure)),
    };
    let mut fields = object(flat)?;
    // Consumers are told of the texts: what models think and what people show is not for a channel layer, which is made for small messages.
    fields.remove("reasoning");
    fields.remove("images");
    // A consumer that reads a field which is not there dies: all of them are, always.
    match kind {
        DjangoEvent::Message => _ = fields.entry("metadata").or_insert_with(|| Map::new().into()),
        DjangoEvent::AnswerEnd => {
            for name in ["model", "cache"] {
                fields.entry(name).or_insert(Value::Null);
            }
        }
        _ => {}
    }
    fields.insert("type".into(), kind.as_str().into());
    fields.insert("group".into(), group.as_str().into());
    fields.insert("seq".into(), event.seq.into());
    Some((kind, group, fields))
}

/// What Django sees of what nodes tell each other.
pub(crate) fn of_told(told: &Told) -> Option<(DjangoEvent, GroupName, Fields)> {
    let (kind, group) = match told {
        Told::Started { group, .. } => (DjangoEvent::AnswerStart, group.clone()),
        Told::Grew { group, .. } => (DjangoEvent::AnswerDelta, group.clone()),
        Told::Person(told) => (DjangoEvent::Person, told.group.clone()),
        Told::Rated(feedback) => (DjangoEvent::Feedback, feedback.group.clone()),
        _ => return None,
    };
    let mut fields = object(serde_json::to_value(told))?;
    fields.remove("told");
    if let Some(at) = fields.remove("at_ms").and_then(|at| at.as_u64()) {
        fields.insert("created_at".into(), timestamp_of(at).into());
    }
    // A consumer that reads a field which is not there dies: all of them are, always.
    if let Told::Person(PersonTold { asker, .. }) = told {
        fields.remove("asker");
        let who = asker.as_ref();
        fields.insert("session".into(), who.map(|it| it.session.as_str()).into());
        fields.insert("user".into(), who.map(|it| it.user.as_str()).into());
        fields.insert("text".into(), who.and_then(|it| it.text.as_deref()).into());
    }
    fields.insert("type".into(), kind.as_str().into());
    Some((kind, group, fields))
}

fn object(value: serde_json::Result<Value>) -> Option<Map<String, Value>> {
    match value {
        Ok(Value::Object(map)) => Some(map),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AnswerId;
    use crate::protocol::{AnswerFinished, Image, Message, Reasoning, Role};

    #[test]
    fn django_is_told_of_texts_and_neither_of_thoughts_nor_of_images() {
        let group = GroupName::parse("g").expect("legal");
        let image = Image { url: "data:image/png;base64,".into(), name: None };
        let said = Message {
            id: MessageId::from("m"),
            role: Role::User,
            author: "a".into(),
            text: "t".into(),
            images: vec![image],
            created_at: "now".into(),
            metadata: None,
        };
        let end = AnswerFinished {
            answer: AnswerId::from("a"),
            message: MessageId::from("m"),
            text: "t".into(),
            reasoning: Some(Reasoning { text: "hm".into(), ms: None, cut: false }),
            model: None,
            cache: None,
            finish_reason: "stop".into(),
            usage: None,
            latency_ms: 1,
        };
        let told = |logged: Logged| {
            let (_, _, fields) = of_logged(&StoredEvent { seq: 1, body: logged.encode() }).expect("it is told");
            fields.keys().map(String::as_str).collect::<Vec<_>>().join(" ")
        };
        let message = told(Logged::Message { group: group.clone(), message: said });
        assert_eq!(message, "author created_at group id metadata role seq text type");
        let end = told(Logged::AnswerEnd { group: group.clone(), end });
        assert_eq!(end, "answer cache finish_reason group latency_ms message model seq text type");
        // Nor of thoughts as they come.
        let (answer, text) = (AnswerId::from("a"), "hm".to_owned());
        assert!(of_told(&Told::Thought { group, answer, offset: 0, text }).is_none());
    }
}
