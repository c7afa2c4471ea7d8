//! The data lines of a chat completion stream: read with tolerance, kept as they came.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bytestring::ByteString;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Chunk;
use crate::ids::random_text;
use crate::protocol::{Usage, unix_ms};

/// What a data line turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Parsed {
    /// `[DONE]`
    Done,
    /// A piece of the answer.
    Chunk(Chunk),
    /// An error that came in place of a chunk, inside a stream that had begun well.
    Error(ReportedError),
}

/// An error object as backends write it: `{"error":{"message","type","code"}}` or `{"error":"text"}`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReportedError {
    /// `type`, such as `invalid_request_error`; empty if it does not say.
    pub kind: String,
    /// `code`, such as `insufficient_quota`, or a number as text; empty if it does not say.
    pub code: String,
    /// The message, for the log.
    pub message: String,
    /// The error object as it came; null if it was not an object.
    pub object: Value,
}

impl ReportedError {
    /// The error that an object bears, if it bears one.
    pub fn find(body: &Value) -> Option<Self> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        match body.get("error")? {
            Value::Object(error) => {
                let field = |name: &str| error.get(name).map(text).unwrap_or_default();
                let (kind, code, message) = (field("type"), field("code"), field("message"));
                Some(Self { kind, code, message, object: Value::Object(error.clone()) })
            }
            Value::String(message) => Some(Self { message: message.clone(), ..Self::default() }),
            _ => None,
        }
    }
}

/// The data line is neither `[DONE]` nor a JSON object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a data line of {bytes} bytes is not a JSON object")]
pub struct BadChunk {
    /// How long it is. Its content may be a user's and is not repeated.
    pub bytes: usize,
}

impl Chunk {
    /// Reads one data line. Its text is kept untouched; what is missing, null or of another type than expected counts as absent.
    pub fn parse(raw: ByteString) -> Result<Parsed, BadChunk> {
        if raw.trim() == "[DONE]" {
            return Ok(Parsed::Done);
        }
        if let Some(chunk) = Line::read(&raw) {
            return Ok(Parsed::Chunk(chunk));
        }
        let body: Value = serde_json::from_str(&raw).map_err(|_| BadChunk { bytes: raw.len() })?;
        if !body.is_object() {
            return Err(BadChunk { bytes: raw.len() });
        }
        match ReportedError::find(&body) {
            Some(error) => Ok(Parsed::Error(error)),
            None => Ok(Parsed::Chunk(Self::read(raw, &body))),
        }
    }

    fn read(raw: ByteString, body: &Value) -> Self {
        let mut chunk = Self { raw, text: String::new(), finished: vec![], choices: vec![], usage: usage_of(body) };
        let choices = body.get("choices").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (place, choice) in (0_u64..).zip(choices) {
            let index = choice.get("index").and_then(Value::as_u64).unwrap_or(place);
            chunk.choices.push(index);
            let content = choice.get("delta").and_then(|delta| delta.get("content")).and_then(Value::as_str);
            if let (0, Some(content)) = (index, content) {
                chunk.text.push_str(content);
            }
            // Some servers send "" where others send null.
            if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str).filter(|it| !it.is_empty()) {
                chunk.finished.push((index, reason.to_owned()));
            }
        }
        chunk
    }

    /// A complete answer of one chunk: role, text and `finish_reason` at once. For an entry of which only the text is kept.
    pub fn whole(model: &str, text: &str, finish_reason: &str) -> Self {
        ChunkWriter::new(model).choice(json!({ "role": "assistant", "content": text }), Some(finish_reason))
    }
}

/// A data line as nearly all of them are: read without keeping what nobody asks for, since every piece of every answer is. What
/// does not fit is left to [`Chunk::read`], which takes anything.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
    usage: Option<Counts>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    index: u64,
    #[serde(borrow)]
    delta: Delta<'a>,
    #[serde(borrow)]
    finish_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Counts {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

impl Line<'_> {
    fn read(raw: &ByteString) -> Option<Chunk> {
        // A list would do for serde, in the order of the fields.
        let line: Line = serde_json::from_str(raw).ok().filter(|_| raw.trim_start().starts_with('{'))?;
        if line.error.is_some() {
            return None;
        }
        let usage = line.usage.map(|counts| {
            let Counts { prompt_tokens, completion_tokens, total_tokens } = counts;
            Usage { prompt_tokens, completion_tokens, total_tokens }
        });
        let mut chunk = Chunk { raw: raw.clone(), text: String::new(), finished: vec![], choices: vec![], usage };
        for Choice { index, delta, finish_reason } in line.choices {
            chunk.choices.push(index);
            if let (0, Some(Text(content))) = (index, delta.content) {
                chunk.text.push_str(&content);
            }
            if let Some(Text(reason)) = finish_reason.filter(|reason| !reason.0.is_empty()) {
                chunk.finished.push((index, reason.into_owned()));
            }
        }
        Some(chunk)
    }
}

fn usage_of(body: &Value) -> Option<Usage> {
    let usage = body.get("usage")?;
    let count = |name: &str| usage.get(name).and_then(Value::as_u64);
    let (prompt, completion, total) = (count("prompt_tokens"), count("completion_tokens"), count("total_tokens"));
    if prompt.is_none() && completion.is_none() && total.is_none() {
        return None;
    }
    let (prompt_tokens, completion_tokens) = (prompt.unwrap_or(0), completion.unwrap_or(0));
    let total_tokens = total.unwrap_or_else(|| prompt_tokens.saturating_add(completion_tokens));
    Some(Usage { prompt_tokens, completion_tokens, total_tokens })
}

/// Writes the chunks of one answer in OpenAI's shape, under one id.
#[derive(Debug, Clone)]
pub struct ChunkWriter {
    id: String,
    created: u64,
    model: String,
}

impl ChunkWriter {
    /// Begins an answer of `model`, now.
    pub fn new(model: &str) -> Self {
        Self { id: format!("chatcmpl-{}", random_text(24)), created: unix_ms() / 1_000, model: model.to_owned() }
    }

    /// The first chunk, which says who speaks.
    pub fn role(&self) -> Chunk {
        self.choice(json!({ "role": "assistant", "content": "" }), None)
    }

    /// A piece of text.
    pub fn text(&self, text: &str) -> Chunk {
        self.choice(json!({ "content": text }), None)
    }

    /// The end of the only choice.
    pub fn finish(&self, reason: &str) -> Chunk {
        self.choice(json!({}), Some(reason))
    }

    /// The chunk without choices that counts the tokens.
    pub fn usage(&self, usage: Usage) -> Chunk {
        self.chunk(json!([]), Some(usage))
    }

    fn choice(&self, delta: Value, reason: Option<&str>) -> Chunk {
        self.chunk(json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": reason }]), None)
    }

    fn chunk(&self, choices: Value, usage: Option<Usage>) -> Chunk {
        let body = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
            "usage": usage,
        });
        Chunk::read(body.to_string().into(), &body)
    }
}

/// Follows an answer's choices to their ends. With the backend's word that it is through, this proves the answer complete.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Completion {
    open: BTreeSet<u64>,
    ended: BTreeSet<u64>,
}

impl Completion {
    /// Follows all of `chunks`.
    pub fn of<'a>(chunks: impl IntoIterator<Item = &'a Chunk>) -> Self {
        let mut all = Self::default();
        chunks.into_iter().for_each(|chunk| all.follow(chunk));
        all
    }

    /// Follows one more chunk.
    pub fn follow(&mut self, chunk: &Chunk) {
        self.ended.extend(chunk.finished.iter().map(|(index, _)| *index));
        self.open.extend(&chunk.choices);
        self.open.retain(|index| !self.ended.contains(index));
    }

    /// Whether every choice that was seen has ended, and at least one has.
    pub fn is_finished(&self) -> bool {
        self.open.is_empty() && !self.ended.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_way_reads_what_the_tolerant_one_reads() {
        for raw in [
            r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"wörd \n\u00e9\ud83d\ude00"},"finish_reason":null}]}"#,
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":{"content":[1,{"x":2}]}}],"usage":null}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":1}"}}]},"finish_reason":""}]}"#,
            r#" {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"details":{"x":1}},"error":null}"#,
        ] {
            let quick = Line::read(&ByteString::from_static(raw));
            let body: Value = serde_json::from_str(raw).expect("JSON");
            assert_eq!(quick, Some(Chunk::read(raw.into(), &body)), "{raw}");
        }
        // Left to the tolerant one, some of which it refuses.
        for raw in [
            "[[],null,null]",
            r#"{"choices":null}"#,
            r#"{"choices":[{"delta":{"content":"x"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":7}}]}"#,
            r#"{"choices":[],"usage":{"total_tokens":3}}"#,
            r#"{"choices":[],"error":{"message":"no"}}"#,
            r#"{"choices":[],"choices":[]}"#,
            r#"{"choices":[]} x"#,
        ] {
            assert_eq!(Line::read(&ByteString::from_static(raw)), None, "{raw}");
        }
    }

    fn chunk(raw: &'static str) -> Chunk {
        match Chunk::parse(ByteString::from_static(raw)) {
            Ok(Parsed::Chunk(chunk)) => chunk,
            other => panic!("not a chunk: {other:?}"),
        }
    }

    fn error(raw: &'static str) -> ReportedError {
        match Chunk::parse(ByteString::from_static(raw)) {
            Ok(Parsed::Error(error)) => error,
            other => panic!("not an error: {other:?}"),
        }
    }

    #[test]
    fn the_end_is_known_with_or_without_space_around_it() {
        assert_eq!(Chunk::parse("[DONE]".into()), Ok(Parsed::Done));
        assert_eq!(Chunk::parse(" [DONE] ".into()), Ok(Parsed::Done));
    }

    #[test]
    fn choices_may_be_empty_null_missing_or_of_a_wrong_type() {
        for raw in [r#"{"choices":[]}"#, r#"{"choices":null}"#, r#"{"id":"x"}"#, r#"{"choices":"?"}"#] {
            let chunk = chunk(raw);
            assert_eq!((chunk.text.as_str(), chunk.choices.len(), chunk.finished.len()), ("", 0, 0), "{raw}");
            assert_eq!(chunk.raw, raw);
        }
    }

    #[test]
    fn a_chunk_whose_error_is_null_is_no_error() {
        assert_eq!(chunk(r#"{"error":null,"choices":[{"index":0,"delta":{"content":"a"}}]}"#).text, "a");
    }

    #[test]
    fn only_strings_count_as_text() {
        for content in ["null", "7", r#"[{"type":"text","text":"x"}]"#] {
            let raw = format!(r#"{{"choices":[{{"index":0,"delta":{{"content":{content}}}}}]}}"#);
            let Ok(Parsed::Chunk(chunk)) = Chunk::parse(raw.into()) else { panic!("not a chunk") };
            assert_eq!(chunk.text, "");
            assert_eq!(chunk.choices, [0]);
        }
        assert_eq!(chunk(r#"{"choices":[{"delta":null}]}"#).text, "");
        assert_eq!(chunk(r#"{"choices":[{}]}"#).choices, [0]);
    }

    #[test]
    fn reasoning_and_tool_calls_stay_in_the_raw_text_and_are_not_shown() {
        let raw = r#"{"choices":[{"index":0,"delta":{"reasoning_content":"hm","tool_calls":[{"index":0,"id":"t"}]}}]}"#;
        let chunk = chunk(raw);
        assert_eq!(chunk.text, "");
        assert_eq!(chunk.raw, raw);
    }

    #[test]
    fn the_text_is_that_of_choice_0_only() {
        let chunk = chunk(r#"{"choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"}}]}"#);
        assert_eq!(chunk.text, "a");
        assert_eq!(chunk.choices, [1, 0]);
    }

    #[test]
    fn any_string_ends_a_choice_also_together_with_its_last_text() {
        let chunk = chunk(r#"{"choices":[{"index":0,"delta":{"content":"end"},"finish_reason":"tea_time"}]}"#);
        assert_eq!(chunk.text, "end");
        assert_eq!(chunk.finished, [(0, "tea_time".to_owned())]);
    }

    #[test]
    fn null_and_empty_reasons_end_nothing() {
        assert!(chunk(r#"{"choices":[{"index":0,"finish_reason":null}]}"#).finished.is_empty());
        assert!(chunk(r#"{"choices":[{"index":0,"finish_reason":""}]}"#).finished.is_empty());
    }

    #[test]
    fn usage_is_taken_from_any_chunk_and_its_sum_made_up_if_missing() {
        let told = chunk(r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":9}}"#);
        assert_eq!(told.usage, Some(Usage { prompt_tokens: 3, completion_tokens: 4, total_tokens: 9 }));
        let summed = chunk(r#"{"choices":[{"index":0}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#);
        assert_eq!(summed.usage, Some(Usage { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 }));
        assert_eq!(chunk(r#"{"usage":null}"#).usage, None);
        assert_eq!(chunk(r#"{"usage":{}}"#).usage, None);
    }

    #[test]
    fn errors_are_known_in_every_shape() {
        let full = error(r#"{"error":{"message":"no","type":"server_error","code":"overloaded"}}"#);
        assert_eq!((&*full.kind, &*full.code, &*full.message), ("server_error", "overloaded", "no"));
        assert_eq!(error(r#"{"error":{"message":"no","code":429}}"#).code, "429");
        assert_eq!(error(r#"{"error":"no such model"}"#).message, "no such model");
        assert_eq!(error(r#"{"choices":[{"index":0,"delta":{}}],"error":{"message":"no"}}"#).message, "no");
    }

    #[test]
    fn what_is_no_object_is_refused_without_being_repeated() {
        for raw in ["", "{", "7", "null", "\"secret\"", "[]"] {
            let fault = Chunk::parse(raw.into()).expect_err("not an object");
            assert!(!fault.to_string().contains("secret"));
        }
    }

    #[test]
    fn an_answer_is_finished_when_every_choice_seen_has_ended() {
        let a = chunk(r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#);
        let b = chunk(r#"{"choices":[{"index":1,"delta":{"content":"b"}}]}"#);
        let end_a = chunk(r#"{"choices":[{"index":0,"finish_reason":"stop"}]}"#);
        let end_b = chunk(r#"{"choices":[{"index":1,"finish_reason":"stop"}]}"#);
        assert!(!Completion::of([]).is_finished());
        assert!(!Completion::of([&a]).is_finished());
        assert!(!Completion::of([&a, &b, &end_a]).is_finished());
        assert!(Completion::of([&a, &b, &end_a, &end_b]).is_finished());
        assert!(Completion::of([&a, &end_a, &a]).is_finished(), "what follows an end opens nothing anew");
    }

    #[test]
    fn written_chunks_read_back_as_what_they_were_written_as() {
        let writer = ChunkWriter::new("m");
        let usage = Usage { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
        let whole = Chunk::whole("m", "a \"b\"\n", "stop");
        for chunk in [writer.role(), writer.text("x"), writer.finish("stop"), writer.usage(usage), whole.clone()] {
            assert_eq!(Chunk::parse(chunk.raw.clone()), Ok(Parsed::Chunk(chunk)));
        }
        assert_eq!(whole.text, "a \"b\"\n");
        assert!(Completion::of([&whole]).is_finished());
        assert_eq!(writer.usage(usage).usage, Some(usage));
    }
}
