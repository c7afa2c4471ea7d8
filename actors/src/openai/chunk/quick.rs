//! A chunk out of a data line as nearly all of them are.

use std::borrow::Cow;

use bytestring::ByteString;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Chunk;
use crate::protocol::Usage;

/// A data line as nearly all of them are: read without keeping what nobody asks for, since every piece of every answer is. What
/// does not fit is left to [`super::tolerant`], which takes anything.
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
    #[serde(borrow)]
    response_item: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Counts {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

/// The chunk, if its line is such a one.
pub fn read(raw: &ByteString) -> Option<Chunk> {
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
        if [delta.tool_calls, delta.function_call, delta.response_item]
            .into_iter()
            .flatten()
            .any(|calls| calls.get().contains('{'))
        {
            chunk.filled.push(index);
        }
        chunk.flawed |= error.is_some();
        if let Some(Text(reason)) = finish_reason.filter(|reason| !reason.0.is_empty()) {
            chunk.finished.push((index, reason.into_owned()));
        }
    }
    Some(chunk)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::tolerant;
    use super::*;

    #[test]
    fn the_quick_way_reads_what_the_tolerant_one_reads() {
        for raw in [
            r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"wörd \n\u00e9\ud83d\ude00"},"finish_reason":null}]}"#,
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":{"content":[1,{"x":2}]}}],"usage":null}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":1}"}}]},"finish_reason":""}]}"#,
            r#"{"choices":[{"index":0,"delta":{"response_item":{"type":"x"}}}]}"#,
            r#" {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"details":{"x":1}},"error":null}"#,
        ] {
            let quick = read(&ByteString::from_static(raw));
            let body: Value = serde_json::from_str(raw).expect("JSON");
            assert_eq!(quick, Some(tolerant::read(raw.into(), &body)), "{raw}");
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
            assert_eq!(read(&ByteString::from_static(raw)), None, "{raw}");
        }
    }
}
