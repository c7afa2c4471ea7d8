//! The answers of one group that are being shown to the sockets of this node, as far as it has heard of them. Pure.

use std::collections::{BTreeMap, VecDeque};

use crate::ids::{AnswerId, GroupName, MessageId, NodeId};
use crate::store::{AnswerRecord, AnswerStart};

/// Ends that are remembered, so that late news of an answer does not begin it anew.
const ENDS: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Answer {
    message: MessageId,
    start: AnswerStart,
    text: String,
    chars: usize,
}

/// The answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct ShownAnswers {
    running: BTreeMap<AnswerId, Answer>,
    ended: VecDeque<AnswerId>,
    /// Asked of the store, with whether more of the answer was missed since.
    asked: BTreeMap<AnswerId, bool>,
}

/// What a piece turned out to be.
#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    /// New: it belongs at this offset.
    New(usize, String),
    /// Known already.
    Known,
    /// Something before it is missing.
    Early,
}

/// What a record turned out to tell.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Learned {
    /// The answer was not known.
    pub(super) start: Option<(MessageId, AnswerStart)>,
    /// More of its text, at this offset.
    pub(super) more: Option<(usize, String)>,
}

impl ShownAnswers {
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// All that was written of an answer so far.
    pub(super) fn text(&self, id: &AnswerId) -> Option<&str> {
        self.running.get(id).map(|answer| answer.text.as_str())
    }

    /// Each answer with its start.
    pub(super) fn starts(&self) -> impl Iterator<Item = (&AnswerId, &MessageId, &AnswerStart, &str)> {
        self.running.iter().map(|(id, answer)| (id, &answer.message, &answer.start, answer.text.as_str()))
    }

    /// All but those that the store knows of, with what is known here. `node` is whoever asks.
    pub(super) fn unknown_to(&self, known: &[AnswerRecord], group: &GroupName, node: &NodeId) -> Vec<AnswerRecord> {
        let unknown = self.running.iter().filter(|(id, _)| known.iter().all(|record| record.answer != **id));
        let record = |(id, answer): (&AnswerId, &Answer)| AnswerRecord {
            answer: id.clone(),
            group: group.clone(),
            message: answer.message.clone(),
            node: node.clone(),
            text: answer.text.clone(),
            start: Some(answer.start.clone()),
        };
        unknown.map(record).collect()
    }

    /// Forgets all but those that the store knows of, and names them.
    pub(super) fn forget_unknown_to(&mut self, known: &[AnswerRecord]) -> Vec<AnswerId> {
        let (running, unknown) = std::mem::take(&mut self.running)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(id, _)| known.iter().any(|record| record.answer == *id));
        self.running = running;
        unknown.into_keys().collect()
    }

    /// An answer begins. Whether that is news.
    pub(super) fn start(&mut self, id: &AnswerId, message: &MessageId, start: &AnswerStart) -> bool {
        if self.ended.contains(id) || self.running.contains_key(id) {
            return false;
        }
        let answer = Answer { message: message.clone(), start: start.clone(), text: String::new(), chars: 0 };
        self.running.insert(id.clone(), answer);
        true
    }

    /// A piece of an answer, at an offset in Unicode scalar values.
    pub(super) fn grow(&mut self, id: &AnswerId, offset: usize, text: String) -> Piece {
        if self.ended.contains(id) {
            return Piece::Known;
        }
        let Some(answer) = self.running.get_mut(id) else { return Piece::Early };
        let Some(known) = answer.chars.checked_sub(offset) else { return Piece::Early };
        let new: String = if known == 0 { text } else { text.chars().skip(known).collect() };
        if new.is_empty() {
            return Piece::Known;
        }
        let at = answer.chars;
        answer.chars += new.chars().count();
        answer.text.push_str(&new);
        Piece::New(at, new)
    }

    /// Something of an answer is missing. Whether the store is to be asked now.
    pub(super) fn missing(&mut self, id: &AnswerId) -> bool {
        let asked = self.asked.contains_key(id);
        self.asked.insert(id.clone(), asked);
        !asked
    }

    /// The store was asked. Whether it is to be asked again.
    pub(super) fn asked(&mut self, id: &AnswerId) -> bool {
        self.asked.remove(id).unwrap_or(false)
    }

    /// What the store knows of an answer.
    pub(super) fn learn(&mut self, record: AnswerRecord) -> Learned {
        let AnswerRecord { answer: id, message, text, start: Some(start), .. } = record else {
            return Learned::default();
        };
        let start = self.start(&id, &message, &start).then_some((message, start));
        let more = match self.grow(&id, 0, text) {
            Piece::New(offset, more) => Some((offset, more)),
            Piece::Known | Piece::Early => None,
        };
        Learned { start, more }
    }

    pub(super) fn end(&mut self, id: &AnswerId) {
        self.running.remove(id);
        self.ended.push_back(id.clone());
        if self.ended.len() > ENDS {
            self.ended.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::CacheStatus;

    fn id() -> AnswerId {
        AnswerId::from("a1")
    }

    fn begun() -> AnswerStart {
        AnswerStart { model: "m".into(), cache: CacheStatus::Miss }
    }

    fn record(text: &str) -> AnswerRecord {
        AnswerRecord {
            answer: id(),
            group: GroupName::parse("g").expect("legal"),
            message: MessageId::from("m1"),
            node: NodeId::from("n1"),
            text: text.into(),
            start: Some(begun()),
        }
    }

    #[test]
    fn pieces_are_taken_once_and_in_order() {
        let mut answers = ShownAnswers::default();
        assert!(answers.start(&id(), &MessageId::from("m1"), &begun()));
        assert!(!answers.start(&id(), &MessageId::from("m1"), &begun()), "told twice");
        assert_eq!(answers.grow(&id(), 0, "äb".into()), Piece::New(0, "äb".into()));
        assert_eq!(answers.grow(&id(), 0, "äb".into()), Piece::Known);
        assert_eq!(answers.grow(&id(), 1, "bc".into()), Piece::New(2, "c".into()));
        assert_eq!(answers.grow(&id(), 5, "x".into()), Piece::Early);
        assert_eq!(answers.grow(&id(), 3, "d".into()), Piece::New(3, "d".into()));
    }

    #[test]
    fn what_was_missed_is_learned_from_the_record() {
        let mut answers = ShownAnswers::default();
        assert_eq!(answers.grow(&id(), 4, "late".into()), Piece::Early);
        assert!(answers.missing(&id()));
        assert!(!answers.missing(&id()), "asked already");
        assert!(answers.asked(&id()), "missed again since");
        let learned = answers.learn(record("äbc"));
        assert!(learned.start.is_some());
        assert_eq!(learned.more, Some((0, "äbc".into())));
        assert_eq!(answers.learn(record("äb")), Learned::default(), "older than what is known");
        assert_eq!(answers.learn(record("äbcd")).more, Some((3, "d".into())));
    }

    #[test]
    fn an_answer_that_has_ended_does_not_begin_anew() {
        let mut answers = ShownAnswers::default();
        answers.end(&id());
        assert!(!answers.start(&id(), &MessageId::from("m1"), &begun()));
        assert_eq!(answers.learn(record("text")), Learned::default());
        assert_eq!(answers.grow(&id(), 9, "x".into()), Piece::Known);
        assert!(answers.is_empty());
    }
}
