//! Another answer to a message that has had one.

use tokio::time::Instant;

use super::{Speaker, question_tokens};
use crate::admission::Admitted;
use crate::answers::{Ask, AskedWith, CONVERSATION};
use crate::ids::{AnswerId, GroupName, MessageId};
use crate::node::Node;
use crate::protocol::{ErrorCode, Refusal};
use crate::store::{AnswerRecord, TakenUp, Wanted};

/// A message in a group's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Where.
    pub group: GroupName,
    /// Which.
    pub message: MessageId,
    /// Its place in the log.
    pub seq: u64,
    /// Its text.
    pub text: String,
    /// With what it is asked again beside that.
    pub with: Option<Box<AskedWith>>,
}

/// Begins another answer, for [`Node::ask`]: once this is acknowledged it ends, whatever becomes of this node.
///
/// # Errors
/// It may not be asked for now, or the store is away.
pub async fn ask_again(node: &Node, speaker: &Speaker, answered: Answered) -> Result<(Ask, Admitted), Refusal> {
    let asked_at = Instant::now();
    let Answered { group, message, seq, text: question, with } = answered;
    let tokens = question_tokens(&question, with.as_deref());
    let mut admitted = speaker.admit(node, &group, Some(tokens)).await?;
    let record = AnswerRecord {
        answer: AnswerId::random(),
        group,
        message,
        node: node.roster.node().clone(),
        text: String::new(),
        reasoning: String::new(),
        start: None,
    };
    let wanted = Wanted { before: seq, size: CONVERSATION, even_if_off: false };
    let begun = match node.stores.answers.take_up(&record, None, Some(&wanted)).await {
        Ok(TakenUp::Begun(page)) => page,
        Ok(TakenUp::Before) => return Err(Refusal::internal()),
        Ok(TakenUp::Off) => {
            return Err(Refusal::new(ErrorCode::NotAllowed, "a person answers in this group; the assistant is off"));
        }
        Err(error) => {
            log::debug!(call = "answer_begin", error:%; "a call to the store failed");
            node.metrics.store_failed("answer_begin");
            return Err(Refusal::store_unavailable());
        }
    };
    admitted.stand();
    let AnswerRecord { answer, group, message, .. } = record;
    let (user, context) = speaker.asker();
    let ask = Ask {
        answer,
        begun: Some(begun),
        user,
        session: speaker.session(),
        group,
        message,
        seq,
        question,
        context,
        with,
        once: None,
        past_cache: true,
        asked_at,
    };
    node.metrics.asked(speaker.protocol());
    Ok((ask, admitted))
}
