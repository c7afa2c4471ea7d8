//! What a model thinks, in a chunk: read apart from the answer, and taken out where it is not to be shown. Pure.

use serde_json::Value;

use super::Chunk;
use super::halves::{self, Seam};
use super::piece::{self, Piece, REASONING};

/// The same in a form that nobody shows, beside which OpenRouter says it.
const DETAILS: &str = "reasoning_details";

impl Chunk {
    /// Whether it may say what the model thinks. Cheap, since every chunk is asked; a server that writes a field's name with escapes is
    /// not known.
    fn may_think(&self) -> bool {
        self.raw.contains("reasoning") || self.raw.contains("thinking")
    }

    /// What the model thinks in it, with halves of characters that `seam` puts together.
    pub fn reasoning(&self, seam: &mut Seam) -> String {
        if !self.may_think() {
            return String::new();
        }
        let thought = self.pieces().into_iter().filter_map(|piece| match piece {
            Piece::Reasoning(text) => Some(seam.join(text)),
            _ => None,
        });
        thought.collect()
    }

    /// The same chunk without what the model thinks, in any of its choices; `None` if there is nothing of it.
    pub fn without_reasoning(&self) -> Option<Self> {
        if !self.may_think() {
            return None;
        }
        let mut body = piece::read(&self.raw)?;
        let mut has_some = false;
        let choices = body.get_mut("choices").and_then(Value::as_array_mut)?;
        for delta in choices.iter_mut().filter_map(|choice| choice.get_mut("delta")?.as_object_mut()) {
            for name in REASONING.iter().chain([&DETAILS]) {
                has_some |= delta.remove(*name).is_some();
            }
            if let Some(parts) = delta.get_mut("content").and_then(Value::as_array_mut) {
                let before = parts.len();
                parts.retain(|part| !matches!(part["type"].as_str(), Some("thinking" | "reasoning")));
                has_some |= parts.len() < before;
            }
        }
        if !has_some {
            return None;
        }
        // Nobody can join the other halves to these any more.
        halves::join_all(&mut body);
        Some(Self { raw: body.to_string().into(), ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::Parsed;

    fn chunk(delta: &str) -> Chunk {
        let raw = format!(r#"{{"choices":[{{"index":0,"delta":{delta}}}],"id":"c"}}"#);
        match Chunk::parse(raw.into()) {
            Ok(Parsed::Chunk(chunk)) => chunk,
            other => panic!("not a chunk: {other:?}"),
        }
    }

    #[test]
    fn reasoning_is_read_apart_from_the_text_and_its_characters_are_whole() {
        let mut seam = Seam::default();
        let thought = [
            r#"{"reasoning_content":"hm "}"#,
            r#"{"content":"I was thinking"}"#,
            r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"so "}]},{"type":"text","text":"a"}]}"#,
            r#"{"reasoning":"\ud83d"}"#,
            r#"{"reasoning":"\ude00","content":"b"}"#,
        ];
        let thought: String = thought.iter().map(|delta| chunk(delta).reasoning(&mut seam)).collect();
        assert_eq!(thought, "hm so 😀");
    }

    #[test]
    fn a_chunk_without_its_reasoning_says_everything_else() {
        for (delta, left) in [
            (r#"{"reasoning_content":"hm","content":"a","x":1}"#, Some(r#"{"content":"a","x":1}"#)),
            (r#"{"reasoning":"hm","reasoning_details":[{"text":"hm"}]}"#, Some("{}")),
            (
                r#"{"content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"a"}]}"#,
                Some(r#"{"content":[{"text":"a","type":"text"}]}"#),
            ),
            (r#"{"content":"my reasoning"}"#, None),
            (r#"{"content":"a"}"#, None),
        ] {
            let (whole, left) = (chunk(delta), left.map(chunk));
            let without = whole.without_reasoning();
            assert_eq!(without.as_ref().map(Chunk::pieces), left.as_ref().map(Chunk::pieces), "{delta}");
            assert_eq!(without.map_or(whole.text.clone(), |it| it.text), whole.text, "{delta}");
            assert!(left.is_none_or(|left| left.reasoning(&mut Seam::default()).is_empty()));
        }
    }
}
