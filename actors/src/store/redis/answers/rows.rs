//! Answers as the scripts tell them: a row, with as much of the text as one reply carries, and the rest in pieces.

use super::RedisAnswers;
use crate::ids::{AnswerId, GroupName, MessageId, NodeId};
use crate::protocol::CacheStatus;
use crate::store::{AnswerRecord, AnswerStart, StoreResult};

/// Bytes of text in one reply: far less than a call's budget carries, on a busy machine too.
pub(super) const PIECE: usize = 384 * 1024;

/// What the scripts tell of an answer: id, group, message, node, model, how it came about, bytes of its text, those of
/// them that came along, and whether the model thought of it.
pub(super) type AnswerRow = (String, String, String, String, String, String, usize, Vec<u8>, bool);

impl RedisAnswers {
    /// An answer that is being written, with a piece of its text.
    pub(super) async fn piece(&self, answer: &AnswerId, from: usize) -> StoreResult<Option<AnswerRow>> {
        let keys = &self.scripts.keys;
        let mut call = self.find.key(keys.answer(answer));
        call.key(keys.answer_text(answer)).arg(answer.as_str()).arg(from).arg(PIECE);
        self.database.script::<Option<AnswerRow>>(&call).await
    }

    /// What the model thought so far, which is bounded.
    async fn reasoning(&self, answer: &AnswerId) -> StoreResult<Vec<u8>> {
        let key = self.scripts.keys.answer_reasoning(answer);
        let read = async |mut connection| redis::cmd("GET").arg(&key).query_async(&mut connection).await;
        let bytes: Option<Vec<u8>> = self.database.call(read).await?;
        Ok(bytes.unwrap_or_default())
    }

    /// The record that a row begins, with the rest of its text, one piece after the other. `None`: it has ended meanwhile, or
    /// is no answer.
    pub(super) async fn whole(&self, row: AnswerRow) -> StoreResult<Option<AnswerRecord>> {
        let (answer, group, message, node, model, cache, length, mut text, has_reasoning) = row;
        let answer = AnswerId::from(answer.as_str());
        while text.len() < length {
            let Some((.., more, _)) = self.piece(&answer, text.len()).await? else { return Ok(None) };
            if more.is_empty() {
                break;
            }
            text.extend(more);
        }
        let Ok(group) = GroupName::parse(&group) else { return Ok(None) };
        let reasoning = if has_reasoning { self.reasoning(&answer).await? } else { Vec::new() };
        Ok(Some(AnswerRecord {
            answer,
            group,
            message: MessageId::from(message.as_str()),
            node: NodeId::from(node.as_str()),
            text: as_far_as_whole(text),
            reasoning: as_far_as_whole(reasoning),
            start: CacheStatus::parse(&cache).map(|cache| AnswerStart { model, cache }),
        }))
    }
}

/// A text that may have been read while it grew, and so end within a character.
fn as_far_as_whole(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let whole = error.utf8_error().valid_up_to();
        let mut bytes = error.into_bytes();
        bytes.truncate(whole);
        String::from_utf8(bytes).unwrap_or_default()
    })
}
