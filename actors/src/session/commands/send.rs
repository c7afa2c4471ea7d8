//! `message.send`: admitted, logged once, acknowledged, delivered, answered.

use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::Work;
use crate::admission::Spending;
use crate::answers::Ask;
use crate::ids::{AnswerId, GroupName, MessageId, hex};
use crate::protocol::{ErrorCode, Left, Logged, Message, Refusal, Role, SendMessage, timestamp};
use crate::registry::Deliver;
use crate::socket::Reply;
use crate::store::{Append, Appended, ONCE_SECONDS, Once};

struct Sent {
    group: GroupName,
    seq: u64,
    message: Option<MessageId>,
    deliver: Option<Deliver>,
    ask: Option<Ask>,
    /// The limits that near their end.
    limits: Option<Left>,
}

impl Work {
    pub(super) async fn send(&self, message: SendMessage, reply: Reply) {
        match self.try_send(message, &reply).await {
            Ok(sent) => {
                reply.logged(sent.seq, sent.message.as_ref(), sent.limits.as_ref());
                match sent.deliver {
                    Some(deliver) => _ = self.node.deliver(deliver).await,
                    // The first try may have been logged without anybody here learning of it.
                    None => _ = self.node.registry.reached(sent.group, sent.seq).await,
                }
                if let Some(ask) = sent.ask {
                    self.node.ask(ask).await;
                }
            }
            Err(refusal) => reply.refuse(&refusal),
        }
    }

    async fn try_send(&self, message: SendMessage, reply: &Reply) -> Result<Sent, Refusal> {
        let asked_at = Instant::now();
        let SendMessage { text, group, assistant, metadata } = message;
        let group = self.member_of(group)?;
        let Some(id) = reply.id() else { return Err(Refusal::internal()) };
        let once = Once {
            scope: format!("session:{}", self.session),
            id: id.as_str().to_owned(),
            // Some clients write no metadata as `{}`.
            fingerprint: fingerprint(&group, &text, assistant, metadata.as_ref().filter(|map| !map.is_empty())),
            seconds: ONCE_SECONDS,
        };
        let _alone = self.sending.lock().await;
        // A repetition is acknowledged even where a new message would be refused.
        let admitted = match self.admit(&group, &text, assistant).await {
            Ok(admitted) => admitted,
            Err(refusal) => {
                // Looking costs what a read does.
                if self.spend(Spending::Reads, 1).await.is_err() {
                    return Err(refusal);
                }
                return match self.node.stores.logs.recall(&once).await {
                    Ok(Some(Appended::Again { seq, message, .. })) => {
                        Ok(Sent { group, seq, message, deliver: None, ask: None, limits: None })
                    }
                    Ok(Some(Appended::Conflict)) => Err(reused_id()),
                    _ => Err(refusal),
                };
            }
        };
        let message = Message {
            id: MessageId::random(&group),
            role: Role::User,
            author: self.socket.access.user().to_string(),
            text: text.clone(),
            created_at: timestamp(),
            metadata,
        };
        let id = message.id.clone();
        let body = Logged::Message { group: group.clone(), message }.encode();
        let append = Append {
            group: group.clone(),
            body,
            message: Some(id),
            once: Some(once.clone()),
            owes: assistant.then(|| self.node.roster.node().clone()),
        };
        let (seq, message, deliver, owed) = match self.node.stores.logs.append(append.clone()).await {
            Ok(Appended::New { epoch, seq, owed }) => {
                self.node.metrics.logged.inc();
                let (event, message) = append.logged(seq);
                (seq, message, Some(Deliver { group: group.clone(), epoch, event }), owed)
            }
            Ok(Appended::Again { seq, message, owed }) => (seq, message, None, owed),
            Ok(Appended::Conflict) => {
                self.node.limiter.refund(admitted.permit).await;
                self.spend(Spending::Reads, 1).await?;
                return Err(reused_id());
            }
            Err(error) => {
                self.node.limiter.refund(admitted.permit).await;
                return Err(self.store_failed("append", &error));
            }
        };
        let ask = match (admitted.slot, &message) {
            (slot @ Some(_), Some(message)) if owed => Some(Ask {
                answer: AnswerId::owed_to(message),
                begun: false,
                user: self.socket.access.user().clone(),
                group: group.clone(),
                message: message.clone(),
                seq,
                question: text,
                context: self.socket.access.context().map(str::to_owned),
                once: Some(once),
                past_cache: false,
                permit: admitted.permit.clone(),
                slot,
                asked_at,
            }),
            _ => None,
        };
        // What is still to be answered is settled at the answer's end.
        let limits = match deliver.is_none() && ask.is_none() {
            true => {
                self.node.limiter.refund(admitted.permit).await;
                // A repetition costs no message, but what a read does.
                self.spend(Spending::Reads, 1).await?;
                None
            }
            false => {
                if assistant && ask.is_none() {
                    // A person has taken over: nobody is asked.
                    self.node.limiter.settle(admitted.permit.clone(), 0).await;
                }
                admitted.permit.left().near_their_end()
            }
        };
        Ok(Sent { group, seq, message, deliver, ask, limits })
    }
}

fn reused_id() -> Refusal {
    Refusal::new(ErrorCode::BadRequest, "this id was used for another message; choose a new one")
}

/// What makes two messages with one id the same.
fn fingerprint(
    group: &GroupName,
    text: &str,
    assistant: bool,
    metadata: Option<&serde_json::Map<String, serde_json::Value>>,
) -> String {
    let mut digest = Sha256::new();
    digest.update(group.as_str());
    digest.update([0, u8::from(assistant)]);
    digest.update((text.len() as u64).to_be_bytes());
    digest.update(text);
    // serde_json's maps are sorted by key, so equal metadata have equal texts.
    digest.update(metadata.map(|map| serde_json::Value::Object(map.clone()).to_string()).unwrap_or_default());
    hex(&digest.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_every_field_apart_and_not_the_order_of_metadata() {
        let group = GroupName::parse("g").expect("legal");
        let map = |json: &str| serde_json::from_str(json).expect("object");
        let base = fingerprint(&group, "t", true, None);
        assert_ne!(base, fingerprint(&group, "u", true, None));
        assert_ne!(base, fingerprint(&group, "t", false, None));
        assert_ne!(base, fingerprint(&GroupName::parse("h").expect("legal"), "t", true, None));
        let one = map(r#"{"a":1,"b":2}"#);
        assert_ne!(base, fingerprint(&group, "t", true, Some(&one)));
        assert_eq!(
            fingerprint(&group, "t", true, Some(&one)),
            fingerprint(&group, "t", true, Some(&map(r#"{"b":2,"a":1}"#)))
        );
    }
}
