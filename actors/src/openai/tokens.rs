//! About how many tokens a text or a request is, where nobody has counted them. Pure.

use super::{BackendRequest, Body, each_element, each_field};
use crate::protocol::Usage;

/// Characters in a token, as a rule of thumb for texts whose tokens nobody counted.
const CHARS_PER_TOKEN: u64 = 4;
/// Tokens that a message costs beyond its text.
pub const TOKENS_PER_MESSAGE: u64 = 4;
/// Tokens that an image or another part that is no text costs.
pub const TOKENS_PER_PART: u64 = 800;
/// So many letters of base64 in a row are no text, in bytes: an image or a sound.
const LONGEST_WORD: u64 = 2_048;

/// Tokens that a backend may count without anything to see of them: it thinks, looks things up, reads files.
const UNSEEN_TOKENS: u64 = 131_072;
/// The longest answer that a model writes, in tokens, and the most choices of it (OpenAI's `n`).
const LONGEST_ANSWER: u64 = 1_048_576;
const MOST_CHOICES: u64 = 128;
/// How far off the estimate of a request may be: a token is a byte at least, and images differ.
const MOST_PER_ESTIMATED: u64 = 16;

/// About how many tokens a text is.
pub fn estimate_tokens(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(CHARS_PER_TOKEN)
}

/// About how many tokens the backend reads of a request.
pub fn estimate_prompt_tokens(body: &Body) -> u64 {
    let mut spoken = 0;
    each_element(body.get("messages").unwrap_or_default(), |message| {
        spoken += of_message(message) + TOKENS_PER_MESSAGE
    });
    let tools = ["tools", "functions", "response_format"].iter().filter_map(|name| body.get(name));
    spoken + tools.map(of_json).sum::<u64>()
}

/// Whether a request, and an answer of so many bytes of data, can have used what the backend counts. A count beyond that is a slip of
/// its, and whoever believed it would have to pay for years.
pub fn is_plausible(usage: Usage, request: &BackendRequest, data: usize) -> bool {
    let Usage { prompt_tokens, completion_tokens, total_tokens } = usage;
    if [prompt_tokens, completion_tokens, total_tokens].iter().all(|count| *count <= UNSEEN_TOKENS) {
        return true;
    }
    let field = |name: &str| request.body.get(name).and_then(|count| count.parse::<u64>().ok());
    let asked = field("max_completion_tokens").or_else(|| field("max_tokens")).unwrap_or(0).min(LONGEST_ANSWER);
    let read = request.estimated_tokens().saturating_mul(MOST_PER_ESTIMATED).saturating_add(UNSEEN_TOKENS);
    let written =
        asked.max(UNSEEN_TOKENS).saturating_mul(request.choices().min(MOST_CHOICES)).saturating_add(data as u64);
    prompt_tokens <= read && completion_tokens <= written && total_tokens <= read.saturating_add(written)
}

fn of_message(message: &str) -> u64 {
    let mut tokens = 0;
    each_field(message, |name, value| match name {
        "content" if value.starts_with('"') => tokens += of_json(value),
        "content" => each_element(value, |part| tokens += of_part(part)),
        "tool_calls" => tokens += of_json(value),
        _ => {}
    });
    tokens
}

fn of_part(part: &str) -> u64 {
    let mut text = None;
    each_field(part, |name, value| {
        if matches!(name, "text" | "refusal") && value.starts_with('"') {
            text.get_or_insert(of_json(value));
        }
    });
    text.unwrap_or(TOKENS_PER_PART)
}

/// Of a JSON text, or of the text in it.
pub(super) fn of_json(json: &str) -> u64 {
    let mut weight = Weight::default();
    weight.add(json.as_bytes());
    let quotes = if json.starts_with('"') { 2 } else { 0 };
    weight.characters.saturating_sub(quotes).div_ceil(CHARS_PER_TOKEN)
}

/// About how many tokens a body is that nobody has taken apart yet, piece by piece as it comes: by its characters, and what looks like
/// an image or a sound by the piece.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weight {
    characters: u64,
    /// Those of them that are no text.
    data: u64,
    parts: u64,
    /// Letters of base64 since the last other one.
    word: u64,
    escape: Escape,
}

/// What follows of a character that is written as an escape sequence.
#[derive(Debug, Clone, Copy, Default)]
enum Escape {
    #[default]
    Nothing,
    /// The letter after the backslash.
    Letter,
    /// So many digits.
    Digits(u8),
}

impl Weight {
    /// What comes next.
    pub fn add(&mut self, piece: &[u8]) {
        for byte in piece {
            match (self.escape, byte) {
                (Escape::Letter, b'u') => self.escape = Escape::Digits(4),
                (Escape::Letter | Escape::Digits(..=1), _) => self.escape = Escape::Nothing,
                (Escape::Digits(more), _) => self.escape = Escape::Digits(more - 1),
                (Escape::Nothing, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'=' | b'-' | b'_') => {
                    self.word += 1;
                    self.characters += 1;
                }
                // A byte inside a character.
                (Escape::Nothing, 0x80..=0xbf) => {}
                (Escape::Nothing, other) => {
                    self.end_word();
                    self.characters += 1;
                    if *other == b'\\' {
                        self.escape = Escape::Letter;
                    }
                }
            }
        }
    }

    /// About how many tokens it is.
    pub fn tokens(mut self) -> u64 {
        self.end_word();
        (self.characters - self.data).div_ceil(CHARS_PER_TOKEN) + self.parts * TOKENS_PER_PART
    }

    fn end_word(&mut self) {
        if self.word > LONGEST_WORD {
            self.data += self.word;
            self.parts += 1;
        }
        self.word = 0;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn tokens(body: &str) -> u64 {
        estimate_prompt_tokens(&Body::parse(&body.to_owned().into()).expect("a body"))
    }

    #[test]
    fn counts_are_believed_as_far_as_the_request_can_have_used_them() {
        let body = r#"{"model":"m","max_tokens":200000,"messages":[{"role":"user","content":"Hi"}]}"#;
        let request = BackendRequest::from(Body::parse(&body.into()).expect("a body"));
        let plausible = |prompt_tokens, completion_tokens, total_tokens| {
            is_plausible(Usage { prompt_tokens, completion_tokens, total_tokens }, &request, 1_000)
        };
        assert!(plausible(7, 5, 12) && plausible(100_000, 200_000, 300_000));
        for (prompt, completion, total) in
            [(u64::MAX, 5, 12), (7, u64::MAX, 12), (7, 5, u64::MAX), (1_000_000, 5, 1_000_005), (7, 300_000, 300_007)]
        {
            assert!(!plausible(prompt, completion, total), "{prompt} {completion} {total}");
        }
    }

    #[test]
    fn an_image_does_not_count_by_its_letters() {
        let url = format!("data:image/png;base64,{}", "A".repeat(100_000));
        let parts = json!([{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]);
        let body = json!({"model": "m", "messages": [{"role": "user", "content": parts}]}).to_string();
        assert_eq!(tokens(&body), 3 + TOKENS_PER_PART + TOKENS_PER_MESSAGE);
        let mut weight = Weight::default();
        body.as_bytes().chunks(1_000).for_each(|piece| weight.add(piece));
        assert!((TOKENS_PER_PART..TOKENS_PER_PART + 60).contains(&weight.tokens()), "{}", weight.tokens());
    }

    #[test]
    fn a_letter_counts_once_however_it_is_written() {
        for content in [r#""при\nвет""#, r#""\u043f\u0440\u0438\n\u0432\u0435\u0442""#] {
            assert_eq!(tokens(&format!(r#"{{"messages":[{{"content":{content}}}]}}"#)), 2 + TOKENS_PER_MESSAGE);
            let mut weight = Weight::default();
            content.bytes().for_each(|byte| weight.add(&[byte]));
            assert_eq!(weight.tokens(), 3);
        }
    }

    #[test]
    fn tools_and_calls_count_and_odd_messages_do_not_stop_the_count() {
        let calls =
            format!(r#"{{"messages":[7,[],{{"tool_calls":[{}]}}],"tools":"{}"}}"#, "1".repeat(38), "t".repeat(40));
        assert_eq!(tokens(&calls), 3 * TOKENS_PER_MESSAGE + 10 + 10);
        assert_eq!(tokens("{}"), 0);
        assert_eq!(tokens(r#"{"messages":[{"content":"12345678","content":"12345678"}]}"#), 4 + TOKENS_PER_MESSAGE);
        assert_eq!(estimate_tokens(&Value::from("x").to_string()), 1);
    }
}
