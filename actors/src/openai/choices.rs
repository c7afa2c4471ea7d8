//! How far the choices of an answer have come: what proves it whole, and what makes it worth keeping. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::Chunk;

/// Follows an answer's choices to their ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choices {
    open: BTreeSet<u64>,
    /// The choices that have ended, and whether by themselves.
    ended: BTreeMap<u64, bool>,
    /// The choices that have text or a tool call.
    filled: BTreeSet<u64>,
    flawed: bool,
}

impl Choices {
    /// Follows all of `chunks`.
    pub fn of<'a>(chunks: impl IntoIterator<Item = &'a Chunk>) -> Self {
        let mut all = Self::default();
        chunks.into_iter().for_each(|chunk| all.follow(chunk));
        all
    }

    /// Follows one more chunk.
    pub fn follow(&mut self, chunk: &Chunk) {
        for (index, reason) in &chunk.finished {
            *self.ended.entry(*index).or_insert(true) &= is_by_itself(reason);
            self.flawed |= reason == "error";
        }
        self.open.extend(&chunk.choices);
        self.open.retain(|index| !self.ended.contains_key(index));
        if !self.filled.contains(&0) && (!chunk.text.trim().is_empty() || chunk.halves != Default::default()) {
            self.filled.insert(0);
        }
        self.filled.extend(&chunk.filled);
        self.flawed |= chunk.flawed;
    }

    /// Whether every choice that was seen has ended, and at least one has.
    pub fn is_finished(&self) -> bool {
        self.open.is_empty() && !self.ended.is_empty()
    }

    /// The same where so many choices were asked for, and no word of the backend says that it is through.
    pub fn has_finished(&self, choices: u64) -> bool {
        self.is_finished() && self.ended.len() as u64 >= choices
    }

    /// Whether a choice bears an error, or ended with one.
    pub fn is_flawed(&self) -> bool {
        self.flawed
    }

    /// Whether the answer may be given to others too: each of so many choices came to its end by itself, and says something. An
    /// answer that was cut, filtered, broken or left empty may turn out better at the next try.
    pub fn is_worth_keeping(&self, choices: u64) -> bool {
        let says = |index: &u64| self.filled.contains(index);
        self.has_finished(choices) && !self.flawed && self.ended.iter().all(|(index, whole)| *whole && says(index))
    }
}

/// Whether a choice ended because the model was through, in the words of OpenAI and others.
fn is_by_itself(reason: &str) -> bool {
    const WORDS: [&str; 8] =
        ["stop", "tool_calls", "function_call", "eos", "eos_token", "stop_sequence", "end_turn", "tool_use"];
    WORDS.iter().any(|word| reason.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::Parsed;

    fn chunk(raw: &'static str) -> Chunk {
        match Chunk::parse(raw.into()) {
            Ok(Parsed::Chunk(chunk)) => chunk,
            other => panic!("not a chunk: {other:?}"),
        }
    }

    #[test]
    fn an_answer_is_finished_when_every_choice_seen_has_ended() {
        let a = chunk(r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#);
        let b = chunk(r#"{"choices":[{"index":1,"delta":{"content":"b"}}]}"#);
        let end_a = chunk(r#"{"choices":[{"index":0,"finish_reason":"stop"}]}"#);
        let end_b = chunk(r#"{"choices":[{"index":1,"finish_reason":"stop"}]}"#);
        assert!(!Choices::of([]).is_finished());
        assert!(!Choices::of([&a]).is_finished());
        assert!(!Choices::of([&a, &b, &end_a]).is_finished());
        assert!(Choices::of([&a, &b, &end_a, &end_b]).is_finished());
        assert!(Choices::of([&a, &end_a, &a]).is_finished(), "what follows an end opens nothing anew");
    }

    #[test]
    fn without_the_backends_word_every_choice_that_was_asked_for_must_have_ended() {
        let one = chunk(r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}"#);
        let one = Choices::of([&one]);
        assert!(one.is_finished() && one.has_finished(1) && !one.has_finished(2) && !one.is_worth_keeping(2));
    }

    #[test]
    fn only_what_is_whole_and_says_something_is_worth_keeping() {
        for raw in [
            r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"STOP"}]}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0}]},"finish_reason":"tool_calls"}]}"#,
            r#"{"choices":[{"index":0,"delta":{"response_item":{"type":"x"}},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"a"}]},"finish_reason":"stop"}]}"#,
        ] {
            assert!(Choices::of([&chunk(raw)]).is_worth_keeping(1), "{raw}");
        }
        for raw in [
            r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"length"}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"error"}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"tea_time"}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop","error":{"code":502}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":" \n"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"index":0,"delta":{"reasoning":"hm","content":null,"tool_calls":[]},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"},{"index":1,"delta":{"content":"b"},"finish_reason":"content_filter"}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"},{"index":1,"delta":{},"finish_reason":"stop"}]}"#,
        ] {
            let whole = Choices::of([&chunk(raw)]);
            assert!(whole.is_finished() && !whole.is_worth_keeping(1), "{raw}");
        }
    }
}
