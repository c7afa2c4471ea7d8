//! The data lines of a chat completion stream: read with tolerance, kept as they came.

use std::borrow::Cow;

use bytestring::ByteString;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Chunk;
use super::halves::{self, Halves};
use super::reported::ReportedError;
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
        let bad = || BadChunk { bytes: raw.len() };
        let read = |text: &str| serde_json::from_str::<Value>(text).ok();
        // A character whose halves are in two chunks is no JSON to serde.
        let body = read(&raw).or_else(|| read(&halves::mend(&raw)?)).ok_or_else(bad)?;
        match ReportedError::in_stream(&body) {
            Some(error) => Ok(Parsed::Error(error)),
            None if !body.is_object() => Err(bad()),
            None => Ok(Parsed::Chunk(Self::read(raw, &body))),
        }
    }

    fn read(raw: ByteString, body: &Value) -> Self {
        let mut chunk = Self::bare(raw, usage_of(body));
        let mut text = String::new();
        let choices = body.get("choices").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (place, choice) in (0_u64..).zip(choices) {
            let index = choice.get("index").and_then(Value::as_u64).unwrap_or(place);
            chunk.choices.push(index);
            let delta = choice.get("delta").unwrap_or(&Value::Null);
            match &delta["content"] {
                Value::String(content) if index == 0 => text.push_str(content),
                Value::String(content) if content.trim().is_empty() => {}
                Value::String(_) => chunk.filled.push(index),
                Value::Array(parts) => {
                    if index == 0 {
                        parts.iter().filter_map(text_of_part).for_each(|part| text.push_str(part));
                    }
                    if parts.iter().any(says_something) {
                        chunk.filled.push(index);
                    }
                }
                _ => {}
            }
            if ["tool_calls", "function_call"].iter().any(|name| calls(&delta[name])) {
                chunk.filled.push(index);
            }
            chunk.flawed |= choice.get("error").is_some_and(|error| !error.is_null());
            // Some servers send "" where others send null.
            if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str).filter(|it| !it.is_empty()) {
                chunk.finished.push((index, reason.to_owned()));
            }
        }
        (chunk.text, chunk.halves) = halves::split(text);
        chunk
    }

    fn bare(raw: ByteString, usage: Option<Usage>) -> Self {
        Self {
            raw,
            text: String::new(),
            halves: Halves::default(),
            finished: vec![],
            choices: vec![],
            filled: vec![],
            flawed: false,
            usage,
        }
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
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<Text<'a>>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
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
        let mut chunk = Chunk::bare(raw.clone(), usage);
        for Choice { index, delta, finish_reason, error } in line.choices {
            chunk.choices.push(index);
            match delta.content {
                Some(Text(content)) if index == 0 => chunk.text.push_str(&content),
                Some(Text(content)) if !content.trim().is_empty() => chunk.filled.push(index),
                _ => {}
            }
            // Empty ones have no object in them.
            if [delta.tool_calls, delta.function_call].into_iter().flatten().any(|calls| calls.get().contains('{')) {
                chunk.filled.push(index);
            }
            chunk.flawed |= error.is_some();
            if let Some(Text(reason)) = finish_reason.filter(|reason| !reason.0.is_empty()) {
                chunk.finished.push((index, reason.into_owned()));
            }
        }
        Some(chunk)
    }
}

/// The text of a part, where content is a list of such: `{"type": "text", "text": …}`. Others, of thinking too, are not shown.
fn text_of_part(part: &Value) -> Option<&str> {
    part.get("text").filter(|_| part["type"] == "text").and_then(Value::as_str)
}

/// Whether a part is of the answer: an image is, thinking and nothing are not.
fn says_something(part: &Value) -> bool {
    match part["type"].as_str() {
        Some("text") => text_of_part(part).is_some_and(|text| !text.trim().is_empty()),
        Some("thinking" | "reasoning") => false,
        _ => true,
    }
}

fn calls(value: &Value) -> bool {
    match value {
        Value::Array(calls) => calls.iter().any(Value::is_object),
        value => value.is_object(),
    }
}

/// Counts of tokens, whatever numbers they are written as.
fn usage_of(body: &Value) -> Option<Usage> {
    let usage = body.get("usage")?;
    let count = |name: &str| usage.get(name).and_then(whole);
    let (prompt, completion, total) = (count("prompt_tokens"), count("completion_tokens"), count("total_tokens"));
    if prompt.is_none() && completion.is_none() && total.is_none() {
        return None;
    }
    let (prompt_tokens, completion_tokens) = (prompt.unwrap_or(0), completion.unwrap_or(0));
    let total_tokens = total.unwrap_or_else(|| prompt_tokens.saturating_add(completion_tokens));
    Some(Usage { prompt_tokens, completion_tokens, total_tokens })
}

/// A number as a count: whole, and not below zero.
fn whole(number: &Value) -> Option<u64> {
    // A float becomes the nearest number that fits.
    number.as_u64().or_else(|| number.as_f64().map(|float| float.ceil() as u64))
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
    fn the_text_of_a_list_is_that_of_its_text_parts() {
        let thinking = r#"{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}"#;
        for (parts, text, filled) in [
            (r#"{"type":"text","text":"a "},{"type":"text","text":"b\u00e9"}"#.to_owned(), "a b\u{e9}", true),
            (format!(r#"{thinking},{{"type":"text","text":"a"}}"#), "a", true),
            (thinking.to_owned(), "", false),
            (r#"{"type":"text","text":" "}"#.to_owned(), " ", false),
            (r#"{"type":"image_url","image_url":{"url":"x"}}"#.to_owned(), "", true),
            (r#"{"type":"text"},{"type":"text","text":7}"#.to_owned(), "", false),
            (String::new(), "", false),
        ] {
            let raw = format!(
                r#"{{"choices":[{{"index":0,"delta":{{"content":[{parts}]}}}},{{"index":1,"delta":{{"content":[{parts}]}}}}]}}"#
            );
            let Ok(Parsed::Chunk(chunk)) = Chunk::parse(raw.clone().into()) else { panic!("not a chunk: {raw}") };
            assert_eq!((&*chunk.text, &*chunk.raw), (text, &*raw));
            assert_eq!(chunk.filled, if filled { vec![0, 1] } else { vec![] }, "{raw}");
        }
    }

    #[test]
    fn only_strings_and_parts_count_as_text() {
        for content in ["null", "7", r#"{"type":"text","text":"x"}"#, r#"["x",7,null]"#] {
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
        assert_eq!(error(r#"{"choices":[{"index":0,"delta":{}}],"error":{"message":"no"}}"#).message, "no");
        for raw in [
            r#"{"error":"no"}"#,
            r#"[{"error":{"message":"no"}}]"#,
            r#"{"object":"error","message":"no","type":"BadRequestError","code":400}"#,
            r#"{"detail":"no"}"#,
            r#"{"message":"no"}"#,
            r#"{"choices":null,"message":"no"}"#,
        ] {
            assert_eq!(error(raw).message, "no", "{raw}");
        }
        chunk(r#"{"object":"chat.completion.chunk","message":"no error"}"#);
        chunk(r#"{"message":{"content":"another protocol"}}"#);
    }

    #[test]
    fn halves_of_a_character_stand_beside_the_text() {
        let first = chunk(r#"{"choices":[{"index":0,"delta":{"content":"a\ud83d"}}]}"#);
        let second = chunk(r#"{"choices":[{"index":0,"delta":{"content":"\ude00b"},"finish_reason":"stop"}]}"#);
        assert_eq!((&*first.text, first.halves.ends), ("a", Some(0xd83d)));
        assert_eq!((&*second.text, second.halves.begins), ("b", Some(0xde00)));
        assert_eq!(second.finished, [(0, "stop".to_owned())]);
        assert!(first.raw.contains(r"\ud83d"), "kept as it came");
        assert_eq!(chunk(r#"{"choices":[{"index":0,"delta":{"content":"\ud83d\ude00"}}]}"#).text, "😀");
    }

    #[test]
    fn what_a_choice_got_is_known_in_both_ways_of_reading() {
        for tail in ["", r#","usage":{"total_tokens":1.0}"#] {
            let raw = format!(
                r#"{{"choices":[{{"index":0,"delta":{{"content":null,"tool_calls":[]}}}},{{"index":1,"delta":{{"tool_calls":[{{"index":0}}]}}}},
                {{"index":2,"delta":{{"content":"x"}}}},{{"index":3,"delta":{{"content":" "}}}}]{tail}}}"#
            );
            let Ok(Parsed::Chunk(chunk)) = Chunk::parse(raw.into()) else { panic!("not a chunk") };
            assert_eq!((chunk.filled, chunk.flawed), (vec![1, 2], false));
            let raw = format!(r#"{{"choices":[{{"index":0,"delta":{{}},"error":{{"code":502}}}}]{tail}}}"#);
            let Ok(Parsed::Chunk(chunk)) = Chunk::parse(raw.into()) else { panic!("not a chunk") };
            assert!(chunk.flawed);
        }
    }

    #[test]
    fn counts_are_whole_numbers_however_they_are_written() {
        let told = chunk(r#"{"usage":{"prompt_tokens":-3,"completion_tokens":4.0,"total_tokens":1e40}}"#);
        let most = Usage { prompt_tokens: 0, completion_tokens: 4, total_tokens: u64::MAX };
        assert_eq!(told.usage, Some(most));
        assert_eq!(chunk(r#"{"usage":{"total_tokens":"7"}}"#).usage, None);
    }

    #[test]
    fn what_is_no_object_is_refused_without_being_repeated() {
        for raw in ["", "{", "7", "null", "\"secret\"", "[]"] {
            let fault = Chunk::parse(raw.into()).expect_err("not an object");
            assert!(!fault.to_string().contains("secret"));
        }
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
        assert_eq!(writer.usage(usage).usage, Some(usage));
    }
}
