//! The one road by which anything gets into a group: admitted, logged once, acknowledged, delivered, counted, asked about. A
//! socket, an application, an operator and Django all take it, so its rules are the same for all of them.
//!
//! What was logged under a key is acknowledged again whatever the limits say: a repetition costs a read, and never a message, a
//! slot or tokens. So that a first try costs no look at the keys, the limits are asked first and the log says what is repeated;
//! then what was reserved gives itself back.
//!
//! What is not on the way of most messages (`Box::pin`) is kept out of the future of each, which is moved as a whole.

mod again;
mod speaker;
mod speech;
mod traced;

pub use again::{Answered, ask_again};
pub use speaker::Speaker;
pub use speech::{Key, Speech, image_limits};

use tokio::time::Instant;

use crate::admission::{Admitted, Remaining};
use crate::answers::{Ask, AskedWith};
use crate::ids::{AnswerId, GroupName, MessageId, UserId};
use crate::node::Node;
use crate::openai::estimate_tokens;
use crate::protocol::{Event, Refusal};
use crate::registry::Fanout;
use crate::store::{Append, Appended, Once, StoreError};

/// What has become of something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its place in the log.
    pub seq: u64,
    /// Its id. None: it is logged by another node, of a version that did not note it.
    pub message: Option<MessageId>,
    /// The limits that near their end.
    pub limits: Option<Remaining>,
}

/// Why something was not said.
#[derive(Debug)]
pub enum Unsaid {
    /// It may not be said now.
    Refused(Refusal),
    /// Its key was used for something else.
    Conflict,
    /// It is not known whether it was logged: said again under the same key, it is logged once.
    Unlogged(StoreError),
}

impl From<Refusal> for Unsaid {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// About how many tokens a question is.
fn question_tokens(text: &str, with: Option<&AskedWith>) -> u64 {
    estimate_tokens(text) + with.map_or(0, AskedWith::estimated_tokens)
}

/// A message, on its way into the log.
struct Saying<'a> {
    node: &'a Node,
    speaker: &'a Speaker,
    group: GroupName,
    text: String,
    assistant: bool,
    with: Option<Box<AskedWith>>,
    once: Option<Once>,
    asked_at: Instant,
}

/// Says something in a group. `acknowledge` is called as soon as it is in the log, before anybody else hears of it.
///
/// # Errors
/// It was not said.
pub async fn say(
    node: &Node,
    speaker: &Speaker,
    speech: Speech,
    acknowledge: impl FnOnce(&Said),
) -> Result<Said, Unsaid> {
    match traced::begin(node, speaker, &speech) {
        Some(span) => Box::pin(traced::within(span, said(node, speaker, speech, acknowledge))).await,
        None => said(node, speaker, speech, acknowledge).await,
    }
}

async fn said(
    node: &Node,
    speaker: &Speaker,
    mut speech: Speech,
    acknowledge: impl FnOnce(&Said),
) -> Result<Said, Unsaid> {
    let once = speech.once(speaker);
    let with = speech.with.take();
    let Speech { group, text, assistant, .. } = &speech;
    let tokens = assistant.then(|| question_tokens(text, with.as_deref()));
    let saying = Saying {
        node,
        speaker,
        group: group.clone(),
        text: text.clone(),
        assistant: *assistant,
        with,
        once,
        asked_at: Instant::now(),
    };
    let admitted = match speaker.admit(node, group, tokens).await {
        Ok(admitted) => admitted,
        Err(refusal) => return Box::pin(saying.recall(refusal, acknowledge)).await,
    };
    saying.log(speech, admitted, acknowledge).await
}

impl Saying<'_> {
    /// It is refused, unless it was said before.
    async fn recall(self, refusal: Refusal, acknowledge: impl FnOnce(&Said)) -> Result<Said, Unsaid> {
        let Some(once) = &self.once else { return Err(refusal.into()) };
        if self.speaker.read(self.node).await.is_err() {
            return Err(refusal.into());
        }
        match self.node.stores.logs.recall(once).await {
            Ok(Some(Appended::Again { seq, message, .. })) => {
                let said = Said { seq, message, limits: None };
                acknowledge(&said);
                self.reached(seq).await;
                Ok(said)
            }
            Ok(Some(Appended::Conflict)) => Err(Unsaid::Conflict),
            _ => Err(refusal.into()),
        }
    }

    async fn log(
        self,
        speech: Speech,
        mut admitted: Admitted,
        acknowledge: impl FnOnce(&Said),
    ) -> Result<Said, Unsaid> {
        let node = self.node;
        let author = speech.author.clone();
        let (id, body) = speech.into_logged();
        let append = Append {
            group: self.group.clone(),
            body,
            message: Some(id),
            once: self.once.clone(),
            owes: self.assistant.then(|| node.roster.node().clone()),
        };
        let is_own = |seq, message: &Option<MessageId>| *message == append.message.as_ref().map(|id| id.at(seq));
        let appending = Instant::now();
        let appended = node.stores.logs.append(append.clone()).await;
        node.metrics.append_seconds.observe(appending.elapsed().as_secs_f64());
        let (epoch, seq, owed) = match appended.map_err(Unsaid::Unlogged)? {
            Appended::New { epoch, seq, owed } => (Some(epoch), seq, owed),
            // The reply to this very append was lost with its connection, and the store was asked again.
            Appended::Again { seq, message, owed } if is_own(seq, &message) => (None, seq, owed),
            Appended::Again { seq, message, owed } => {
                let asks = (owed && self.assistant).then_some(author);
                return Box::pin(self.repeated(seq, message, asks, admitted, acknowledge)).await;
            }
            Appended::Conflict => {
                admitted.give_back().await;
                self.speaker.read(node).await?;
                return Err(Unsaid::Conflict);
            }
        };
        admitted.stand();
        node.delivery.count();
        let (event, message) = append.logged(seq);
        let said = Said { seq, message, limits: admitted.left().near_their_end() };
        acknowledge(&said);
        node.delivery.deliver(self.group.clone(), epoch, event, self.speaker.is_django()).await;
        match owed {
            true => Box::pin(self.ask(&said, author, admitted)).await,
            // Nobody is asked, as a person has taken over or the assistant was not meant: nothing is reserved for an answer.
            false => admitted.give_back().await,
        }
        Ok(said)
    }

    /// It was said before under this key; and the answer that it is owed may not have been asked for, by this author.
    async fn repeated(
        self,
        seq: u64,
        message: Option<MessageId>,
        asks: Option<String>,
        admitted: Admitted,
        acknowledge: impl FnOnce(&Said),
    ) -> Result<Said, Unsaid> {
        let Some(author) = asks else {
            admitted.give_back().await;
            self.speaker.read(self.node).await?;
            let said = Said { seq, message, limits: None };
            acknowledge(&said);
            self.reached(seq).await;
            return Ok(said);
        };
        let said = Said { seq, message, limits: admitted.left().near_their_end() };
        acknowledge(&said);
        self.reached(seq).await;
        self.ask(&said, author, admitted).await;
        Ok(said)
    }

    /// The first try may have been logged without anybody here learning of it.
    async fn reached(&self, seq: u64) {
        _ = self.node.delivery.registry.reached(self.group.clone(), seq).await;
    }

    async fn ask(self, said: &Said, author: String, admitted: Admitted) {
        let Some(message) = said.message.clone() else { return };
        let (user, context) = match self.speaker {
            Speaker::Session { user, context, .. } => (user.clone(), context.clone()),
            _ => (UserId::from(author.as_str()), None),
        };
        let ask = Ask {
            answer: AnswerId::owed_to(&message),
            begun: None,
            user,
            session: self.speaker.session(),
            group: self.group,
            message,
            seq: said.seq,
            question: self.text,
            context,
            with: self.with,
            once: self.once,
            past_cache: false,
            asked_at: self.asked_at,
        };
        self.node.metrics.asked(self.speaker.protocol());
        self.node.ask(ask, admitted).await;
    }
}

/// The message that was said before under the same key, if it was.
///
/// # Errors
/// Its key was used for something else, or the store is away.
pub async fn said_before(node: &Node, speaker: &Speaker, speech: &Speech) -> Result<Option<MessageId>, Unsaid> {
    let Some(once) = speech.once(speaker) else { return Ok(None) };
    match node.stores.logs.recall(&once).await.map_err(Unsaid::Unlogged)? {
        Some(Appended::Again { message, .. }) => Ok(message),
        Some(Appended::Conflict) => Err(Unsaid::Conflict),
        Some(Appended::New { .. }) | None => Ok(None),
    }
}

/// Passes an event on to the sockets of a group, on every node, without logging it.
///
/// # Errors
/// It may not be passed on now.
pub async fn pass_on(
    node: &Node,
    speaker: &Speaker,
    group: &GroupName,
    event: &serde_json::Value,
) -> Result<(), Refusal> {
    let mut admitted = speaker.admit(node, group, None).await?;
    let frame = Event::Foreign { group, event }.encode();
    node.fan_out(Fanout { group: group.clone(), frame, except: None }).await.map_err(|_| Refusal::internal())?;
    admitted.stand();
    Ok(())
}
