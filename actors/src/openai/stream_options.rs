//! `stream_options.include_usage`: a stream counts its tokens for who asks for that. A backend is always asked, since others may want the
//! count that a caller does not; so what a caller is told of a chunk is the chunk as the backend wrote it, but for the count, which is
//! told to who asked for it, and where OpenAI tells it. Pure.

use bytestring::ByteString;
use serde_json::{Value, json};

use super::{Body, Chunk};

/// The field, and that of it which is meant here. Some backends refuse either.
pub const STREAM_OPTIONS: &str = "stream_options";
/// The wish within it.
pub const INCLUDE_USAGE: &str = "include_usage";

/// `stream_options` is something other than an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoObject;

/// Has a request ask for the count; says whether it did by itself.
///
/// # Errors
/// Its `stream_options` are no object.
pub fn ask(body: &mut Body) -> Result<bool, NoObject> {
    if !body.says(STREAM_OPTIONS) {
        body.set(STREAM_OPTIONS, &json!({ INCLUDE_USAGE: true }));
        return Ok(false);
    }
    let mut options = body.object(STREAM_OPTIONS).ok_or(NoObject)?;
    let asked = options.get(INCLUDE_USAGE) == Some("true");
    options.set(INCLUDE_USAGE, &true.into());
    body.set_text(STREAM_OPTIONS, options.to_string());
    Ok(asked)
}

/// Has a request ask for the count, unless it says whether it wants it, or what we do not understand.
pub fn ask_unless_said(body: &mut Body) {
    let options = body.object(STREAM_OPTIONS);
    if !body.says(STREAM_OPTIONS) || options.is_some_and(|options| options.get(INCLUDE_USAGE).is_none()) {
        // What cannot be understood was left out above.
        _ = ask(body);
    }
}

/// What the chunk that counts says anyway, like all others.
const IN_EVERY_CHUNK: [&str; 9] =
    ["id", "object", "created", "model", "provider", "service_tier", "system_fingerprint", "choices", "obfuscation"];

/// The data lines in the place of a chunk; `first`: nothing of the answer was told before.
pub fn lines(chunk: &Chunk, first: bool, wants_usage: bool) -> [Option<ByteString>; 2] {
    let counts_alone = chunk.choices.is_empty();
    // A count that cannot be is none for us, and stands there all the same.
    if chunk.usage.is_none() && !counts_alone {
        return [Some(chunk.raw.clone()), None];
    }
    // An answer that came whole has everything in one chunk.
    let is_whole = first && !counts_alone && chunk.choices.iter().all(|choice| ended(chunk, *choice));
    // What is counted beside a piece of a stream is a server's own way, asked for or not.
    if !is_whole && (wants_usage || !counts_alone) {
        return [Some(chunk.raw.clone()), None];
    }
    let body = Body::parse(&chunk.raw).ok().filter(|body| body.says("usage"));
    let Some(mut body) = body else { return [Some(chunk.raw.clone()), None] };
    if wants_usage {
        let mut count = Body::default();
        body.iter()
            .filter(|(name, _)| IN_EVERY_CHUNK.contains(name) || *name == "usage")
            .for_each(|(name, value)| count.set_text(name, value.to_owned()));
        count.set_text("choices", "[]".to_owned());
        body.set("usage", &Value::Null);
        return [Some(body.to_string().into()), Some(count.to_string().into())];
    }
    body.remove("usage");
    let says_more = body.iter().any(|(name, value)| !IN_EVERY_CHUNK.contains(&name) && value != "null");
    [(!counts_alone || says_more).then(|| body.to_string().into()), None]
}

fn ended(chunk: &Chunk, choice: u64) -> bool {
    chunk.finished.iter().any(|(index, _)| *index == choice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::Parsed;

    fn told(raw: &str, first: bool, wants_usage: bool) -> Vec<String> {
        let Ok(Parsed::Chunk(chunk)) = Chunk::parse(raw.to_owned().into()) else { panic!("not a chunk") };
        lines(&chunk, first, wants_usage).into_iter().flatten().map(|line| line.to_string()).collect()
    }

    #[test]
    fn the_count_comes_last_without_choices_for_who_asked_for_it() {
        let whole = r#"{"id":"c","created":1,"x":1,"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{"total_tokens":3}}"#;
        assert_eq!(
            told(whole, true, true),
            [
                r#"{"id":"c","created":1,"x":1,"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],"usage":null}"#,
                r#"{"id":"c","created":1,"choices":[],"usage":{"total_tokens":3}}"#,
            ]
        );
        let bare =
            r#"{"id":"c","created":1,"x":1,"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}"#;
        assert_eq!(told(whole, true, false), [bare]);
    }

    #[test]
    fn what_a_stream_brings_is_told_as_it_came() {
        let count = r#"{"id":"c",  "choices":[],"usage":{"total_tokens":3}}"#;
        assert_eq!(told(count, false, true), [count]);
        assert_eq!(told(count, false, false), [""; 0]);
        let first = r#"{ "choices":[],"prompt_filter_results":[],"usage":null }"#;
        assert_eq!(told(first, true, false), [first]);
        let plain = r#"{ "choices":[{"index":0,"delta":{"content":"a"}}] }"#;
        assert_eq!(told(plain, true, false), [plain]);
        let running = r#"{"choices":[{"index":0,"delta":{"content":"a"}}], "usage":{"total_tokens":3}}"#;
        assert_eq!(told(running, true, true), [running]);
        let last = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}], "usage":{"total_tokens":3}}"#;
        assert_eq!(told(last, false, true), [last]);
        assert_eq!(told(last, false, false), [last]);
    }

    #[test]
    fn a_count_that_nobody_believes_is_left_out_too() {
        let Ok(Parsed::Chunk(chunk)) =
            Chunk::parse(r#"{"choices":[],"usage":{"total_tokens":18446744073709551615}}"#.into())
        else {
            panic!("not a chunk")
        };
        assert_eq!(lines(&Chunk { usage: None, ..chunk }, false, false), [None, None]);
    }

    #[test]
    fn what_stands_beside_the_count_is_told_to_everybody() {
        let timed = r#"{"id":"c","choices":[],"usage":{"total_tokens":3},"timings":{"n": 1.50}}"#;
        assert_eq!(told(timed, false, true), [timed]);
        assert_eq!(told(timed, false, false), [r#"{"id":"c","choices":[],"timings":{"n": 1.50}}"#]);
    }
}
