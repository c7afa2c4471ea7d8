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
    // Consumers that were written before models thought are told what they know.
    fields.remove("reasoning");
    if kind == DjangoEvent::Message {
        // A consumer that reads a field which is not there dies: all of them are, always.
        fields.entry("metadata").or_insert_with(|| Map::new().into());
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
