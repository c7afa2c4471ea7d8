//! The answers of one group that are being shown to the sockets of this node, as far as it has heard of them. Pure.

use std::collections::{BTreeMap, VecDeque};

use super::written::{Piece, Written};
use crate::ids::{AnswerId, GroupName, MessageId, NodeId};
use crate::protocol::{AnswerText, Strand};
use crate::store::{AnswerRecord, AnswerStart};

/// Ends that are remembered, so that late news of an answer does not begin it anew.
const ENDS: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Answer {
    message: MessageId,
    start: AnswerStart,
    text: Written,
    reasoning: Written,
}

impl Answer {
    fn record(&self, id: &AnswerId, group: &GroupName, node: &NodeId) -> AnswerRecord {
        AnswerRecord {
            answer: id.clone(),
            group: group.clone(),
            message: self.message.clone(),
            node: node.clone(),
            text: self.text.text().to_owned(),
            reasoning: self.reasoning.text().to_owned(),
            start: Some(self.start.clone()),
        }
    }

    fn strand(&mut self, strand: Strand) -> &mut Written {
        match strand {
            Strand::Reasoning => &mut self.reasoning,
            Strand::Text => &mut self.text,
        }
    }
}

/// One that is being written, as it is shown.
pub(super) struct Shown<'a> {
    pub(super) answer: &'a AnswerId,
    pub(super) message: &'a MessageId,
    pub(super) start: &'a AnswerStart,
    pub(super) text: &'a str,
    pub(super) reasoning: &'a str,
}

/// The answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct ShownAnswers {
    running: BTreeMap<AnswerId, Answer>,
    ended: VecDeque<AnswerId>,
    /// Something of them is missing.
    asked: Asked,
    /// The store knows nothing of them.
    lost: Asked,
}

/// Answers of which the store is being asked, with whether there was a new reason for it since.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Asked(BTreeMap<AnswerId, bool>);

impl Asked {
    /// There is a reason to ask. Whether that is to be done now.
    fn begin(&mut self, id: &AnswerId) -> bool {
        let asked = self.0.contains_key(id);
        self.0.insert(id.clone(), asked);
        !asked
    }

    /// That is done. Whether it is to be done again.
    fn end(&mut self, id: &AnswerId) -> bool {
        self.0.remove(id).unwrap_or(false)
    }
}

/// What a record turned out to tell.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Learned {
    /// The answer was not known.
    pub(super) start: Option<(MessageId, AnswerStart)>,
    /// More of its texts, at these offsets.
    pub(super) more: Vec<(AnswerText, usize, String)>,
}

impl ShownAnswers {
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// All of one of an answer's texts so far.
    pub(super) fn text(&self, of: &AnswerText) -> Option<&str> {
        let answer = self.running.get(&of.answer)?;
        Some(if of.strand == Strand::Text { answer.text.text() } else { answer.reasoning.text() })
    }

    /// Each answer with its start.
    pub(super) fn starts(&self) -> impl Iterator<Item = Shown<'_>> {
        self.running.iter().map(|(id, Answer { message, start, text, reasoning })| Shown {
            answer: id,
            message,
            start,
            text: text.text(),
            reasoning: reasoning.text(),
        })
    }

    /// Those that are to be looked for now, with what is known here: the store does not know of them, and nobody looks already. `node` is
    /// whoever asks.
    pub(super) fn lost(&mut self, known: &[AnswerRecord], group: &GroupName, node: &NodeId) -> Vec<AnswerRecord> {
        let Self { running, lost, .. } = self;
        let unknown = running.iter().filter(|(id, _)| known.iter().all(|record| record.answer != **id));
        unknown.filter(|(id, _)| lost.begin(id)).map(|(id, answer)| answer.record(id, group, node)).collect()
    }

    /// They were looked for. Those that are to be looked for again, as [`Self::lost`] names them.
    pub(super) fn looked_for(&mut self, ids: &[AnswerId], group: &GroupName, node: &NodeId) -> Vec<AnswerRecord> {
        let Self { running, lost, .. } = self;
        let again = ids.iter().filter_map(|id| {
            let (id, answer) = lost.end(id).then(|| running.get_key_value(id))??;
            lost.begin(id).then(|| answer.record(id, group, node))
        });
        again.collect()
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
        let (text, reasoning) = Default::default();
        let answer = Answer { message: message.clone(), start: start.clone(), text, reasoning };
        self.running.insert(id.clone(), answer);
        true
    }

    /// A piece of one of an answer's texts, at an offset in Unicode scalar values.
    pub(super) fn grow(&mut self, of: &AnswerText, offset: usize, text: String) -> Piece {
        if self.ended.contains(&of.answer) {
            return Piece::Known;
        }
        let Some(answer) = self.running.get_mut(&of.answer) else { return Piece::Early };
        answer.strand(of.strand).grow(offset, text)
    }

    /// Something of an answer is missing. Whether the store is to be asked now.
    pub(super) fn missing(&mut self, id: &AnswerId) -> bool {
        self.asked.begin(id)
    }

    /// The store was asked. Whether it is to be asked again.
    pub(super) fn asked(&mut self, id: &AnswerId) -> bool {
        self.asked.end(id)
    }

    /// What the store knows of an answer.
    pub(super) fn learn(&mut self, record: AnswerRecord) -> Learned {
        let AnswerRecord { answer: id, message, text, reasoning, start: Some(start), .. } = record else {
            return Learned::default();
        };
        let start = self.start(&id, &message, &start).then_some((message, start));
        let texts = [(AnswerText::reasoning(&id), reasoning), (AnswerText::of(&id), text)];
        let more = texts.into_iter().filter_map(|(of, text)| match self.grow(&of, 0, text) {
            Piece::New(offset, more) => Some((of, offset, more)),
            Piece::Known | Piece::Early => None,
        });
        let more = more.collect();
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
            reasoning: String::new(),
            start: Some(begun()),
        }
    }

    fn text() -> AnswerText {
        AnswerText::of(&id())
    }

    #[test]
    fn pieces_are_taken_once_and_in_order() {
        let mut answers = ShownAnswers::default();
        assert!(answers.start(&id(), &MessageId::from("m1"), &begun()));
        assert!(!answers.start(&id(), &MessageId::from("m1"), &begun()), "told twice");
        assert_eq!(answers.grow(&text(), 0, "äb".into()), Piece::New(0, "äb".into()));
        assert_eq!(answers.grow(&text(), 0, "äb".into()), Piece::Known);
        assert_eq!(answers.grow(&text(), 1, "bc".into()), Piece::New(2, "c".into()));
        assert_eq!(answers.grow(&text(), 5, "x".into()), Piece::Early);
        assert_eq!(answers.grow(&text(), 3, "d".into()), Piece::New(3, "d".into()));
    }

    #[test]
    fn what_the_model_thinks_has_places_of_its_own() {
        let (mut answers, reasoning) = (ShownAnswers::default(), AnswerText::reasoning(&id()));
        answers.start(&id(), &MessageId::from("m1"), &begun());
        assert_eq!(answers.grow(&reasoning, 0, "hm".into()), Piece::New(0, "hm".into()));
        assert_eq!(answers.grow(&text(), 0, "so".into()), Piece::New(0, "so".into()));
        assert_eq!(answers.grow(&reasoning, 3, "!".into()), Piece::Early);
        let learned = answers.learn(AnswerRecord { reasoning: "hm, a".into(), ..record("so it is") });
        assert_eq!(learned.more, [(reasoning.clone(), 2, ", a".into()), (text(), 2, " it is".into())]);
        assert_eq!((answers.text(&reasoning), answers.text(&text())), (Some("hm, a"), Some("so it is")));
    }

    #[test]
    fn what_was_missed_is_learned_from_the_record() {
        let mut answers = ShownAnswers::default();
        assert_eq!(answers.grow(&text(), 4, "late".into()), Piece::Early);
        assert!(answers.missing(&id()));
        assert!(!answers.missing(&id()), "asked already");
        assert!(answers.asked(&id()), "missed again since");
        let learned = answers.learn(record("äbc"));
        assert!(learned.start.is_some());
        assert_eq!(learned.more, [(text(), 0, "äbc".into())]);
        assert_eq!(answers.learn(record("äb")), Learned::default(), "older than what is known");
        assert_eq!(answers.learn(record("äbcd")).more, [(text(), 3, "d".into())]);
    }

    #[test]
    fn what_the_store_has_lost_is_looked_for_once_at_a_time() {
        let (group, node) = (GroupName::parse("g").expect("legal"), NodeId::from("n1"));
        let mut answers = ShownAnswers::default();
        answers.start(&id(), &MessageId::from("m1"), &begun());
        answers.grow(&text(), 0, "so far".into());
        assert_eq!(answers.lost(&[record("so far")], &group, &node), [], "the store knows it");
        assert_eq!(answers.lost(&[], &group, &node), [record("so far")]);
        assert_eq!(answers.lost(&[], &group, &node), [], "somebody looks already");
        assert_eq!(answers.looked_for(&[id()], &group, &node), [record("so far")], "there was a new reason since");
        assert_eq!(answers.looked_for(&[id()], &group, &node), []);
        assert_eq!(answers.lost(&[], &group, &node), [record("so far")]);
        assert_eq!(answers.lost(&[], &group, &node), []);
        answers.end(&id());
        assert_eq!(answers.looked_for(&[id()], &group, &node), [], "it has ended");
    }

    #[test]
    fn an_answer_that_has_ended_does_not_begin_anew() {
        let mut answers = ShownAnswers::default();
        answers.end(&id());
        assert!(!answers.start(&id(), &MessageId::from("m1"), &begun()));
        assert_eq!(answers.learn(record("text")), Learned::default());
        assert_eq!(answers.grow(&text(), 9, "x".into()), Piece::Known);
        assert!(answers.is_empty());
    }
}
