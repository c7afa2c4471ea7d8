//! What the model thinks of a group's answer: told beside its text, bounded, and kept with its end.

use std::sync::Arc;

use tokio::time::Instant;

use super::GroupAnswer;
use crate::ids::cut;
use crate::openai::Chunk;
use crate::openai::halves::Seam;
use crate::protocol::{AnswerText, CacheStatus, REASONING_BYTES, Reasoning};
use crate::registry::AnswerGrew;

/// What it has thought so far.
#[derive(Default)]
pub(super) struct Thinking {
    pub(super) text: String,
    /// Unicode scalar values of it.
    chars: usize,
    /// Bytes of it that are saved, and so told to the other nodes, already.
    pub(super) saved: usize,
    is_cut: bool,
    seam: Seam,
    /// When its first piece came, and its last.
    span: Option<(Instant, Instant)>,
}

impl Thinking {
    /// Whether some of it is to be saved.
    pub(super) fn is_unsaved(&self) -> bool {
        self.saved < self.text.len()
    }

    /// Takes more of it, as far as the bound allows. What is new, with its place.
    fn add(&mut self, text: &str) -> Option<(usize, String)> {
        if text.is_empty() {
            return None;
        }
        let now = Instant::now();
        self.span = Some((self.span.map_or(now, |(first, _)| first), now));
        let room = if self.is_cut { 0 } else { REASONING_BYTES - self.text.len() };
        let more = cut(text, room);
        self.is_cut |= more.len() < text.len();
        let offset = self.chars;
        self.chars += more.chars().count();
        self.text.push_str(more);
        (!more.is_empty()).then(|| (offset, more.to_owned()))
    }

    /// As the answer's end keeps it.
    pub(super) fn kept(&self, cache: CacheStatus) -> Option<Reasoning> {
        let (first, last) = self.span?;
        // What comes from the cache was thought at another time.
        let ms = (cache != CacheStatus::Hit).then(|| (last - first).as_millis());
        let ms = ms.and_then(|ms| u64::try_from(ms).ok());
        Some(Reasoning { text: self.text.clone(), ms, cut: self.is_cut })
    }
}

impl GroupAnswer {
    /// Tells what the chunks say of the model's thoughts. Where they are not to be shown, the chunks come back without them.
    pub(super) async fn think(&mut self, chunks: Vec<Arc<Chunk>>) -> Vec<Arc<Chunk>> {
        let Some(thinking) = &mut self.thinking else {
            let plain = |chunk: Arc<Chunk>| chunk.without_reasoning().map_or(chunk, Arc::new);
            return chunks.into_iter().map(plain).collect();
        };
        let thought: String = chunks.iter().map(|chunk| chunk.reasoning(&mut thinking.seam)).collect();
        if let Some((offset, text)) = thinking.add(&thought) {
            let (group, of) = (self.ask.group.clone(), AnswerText::reasoning(&self.answer));
            _ = self.parts.delivery.registry.answer_grew(AnswerGrew { group, of, offset, text }).await;
        }
        chunks
    }

    /// What the model has thought, if that is shown.
    pub(super) fn reasoning(&self) -> Option<Reasoning> {
        self.thinking.as_ref().and_then(|thinking| thinking.kept(self.cache))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn reasoning_is_kept_up_to_its_bound_and_says_how_long_it_took_and_that_it_was_cut() {
        let mut thinking = Thinking::default();
        assert_eq!(thinking.kept(CacheStatus::Miss), None);
        assert_eq!(thinking.add(""), None);
        assert_eq!(thinking.add("é"), Some((0, "é".into())));
        tokio::time::advance(std::time::Duration::from_millis(1_500)).await;
        assert_eq!(thinking.add("ab"), Some((1, "ab".into())));
        let kept = |cut| Reasoning { text: "éab".into(), ms: Some(1_500), cut };
        assert_eq!(thinking.kept(CacheStatus::Miss), Some(kept(false)));
        assert_eq!(thinking.kept(CacheStatus::Hit), Some(Reasoning { ms: None, ..kept(false) }));
        let rest = REASONING_BYTES - 5;
        let (offset, more) = thinking.add(&format!("{}éé", "x".repeat(rest))).expect("there is room");
        assert_eq!((offset, more.len()), (3, rest), "a character that does not fit is left out whole");
        assert_eq!(thinking.add("x"), None, "nothing follows a hole");
        assert!(thinking.kept(CacheStatus::Miss).expect("some").cut);
    }
}
