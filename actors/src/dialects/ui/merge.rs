//! Chunks that wait for a slow reader, made fewer: what a text gains is the same in one chunk as in many.

use super::UiChunk;

/// The longest text of a chunk that is made of several, in bytes.
const LONGEST: usize = 32 * 1024;

/// The same chunks, with consecutive pieces of one text as one. Only for readers who count what they are sent, not what there is.
pub fn merge(chunks: Vec<UiChunk>) -> Vec<UiChunk> {
    let mut merged: Vec<UiChunk> = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        let added = match (merged.last_mut(), &chunk) {
            (Some(UiChunk::TextDelta { id, delta }), UiChunk::TextDelta { id: same, delta: more })
            | (Some(UiChunk::ReasoningDelta { id, delta }), UiChunk::ReasoningDelta { id: same, delta: more })
                if id == same && delta.len() + more.len() <= LONGEST =>
            {
                delta.push_str(more);
                true
            }
            _ => false,
        };
        if !added {
            merged.push(chunk);
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(id: &str, delta: &str) -> UiChunk {
        UiChunk::TextDelta { id: id.to_owned(), delta: delta.to_owned() }
    }

    #[test]
    fn pieces_of_one_text_that_follow_each_other_become_one() {
        let reasoning = |delta: &str| UiChunk::ReasoningDelta { id: "r0".to_owned(), delta: delta.to_owned() };
        let end = || UiChunk::TextEnd { id: "t0".to_owned() };
        let chunks = vec![
            reasoning("a"),
            reasoning("b"),
            text("t0", "c"),
            text("t0", "d"),
            text("t1", "e"),
            end(),
            text("t1", "f"),
        ];
        let merged = vec![reasoning("ab"), text("t0", "cd"), text("t1", "e"), end(), text("t1", "f")];
        assert_eq!(merge(chunks), merged);
    }

    #[test]
    fn no_chunk_grows_without_a_bound() {
        let long = "x".repeat(LONGEST / 2);
        let merged = merge(vec![text("t0", &long), text("t0", &long), text("t0", "y")]);
        assert_eq!(merged, [text("t0", &long.repeat(2)), text("t0", "y")]);
    }
}
