//! An answer in the words of a text completion: chunk by chunk, or whole. Pure.

use bytestring::ByteString;
use serde_json::{Map, Value, json};

use crate::openai::{Chunk, completion, halves, stream_options};

/// How an answer is told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextForm {
    /// The prompt, if it is to stand before each answer.
    pub echo: Option<ByteString>,
    /// How many answers were asked for.
    pub choices: u64,
}

impl TextForm {
    /// The data lines in the place of a chunk; `first`: nothing of the answer was told before. What adds neither text nor an end is left out.
    pub fn lines(&self, chunk: &Chunk, first: bool, wants_usage: bool) -> Vec<ByteString> {
        let told = stream_options::lines(chunk, first, wants_usage);
        let mut lines: Vec<Value> = told
            .into_iter()
            .flatten()
            .filter_map(|line| read(&line))
            .filter_map(|line| of_chunk(line, &chunk.text))
            .collect();
        if first && let Some(prompt) = &self.echo {
            let choices = (0..self.choices).map(|index| choice(index, prompt, Value::Null)).collect();
            lines.insert(0, head(read(&chunk.raw).unwrap_or_default(), choices));
        }
        lines.iter().map(|line| line.to_string().into()).collect()
    }

    /// The whole answer, from all of its chunks.
    pub fn whole(&self, chunks: &[ByteString]) -> Value {
        let mut body = completion::from_chunks(chunks);
        let choices = body["choices"].as_array_mut().map(std::mem::take).unwrap_or_default();
        let echo = self.echo.as_deref().unwrap_or_default();
        let told = choices.iter().map(|each| {
            let text = format!("{echo}{}", text_of(&each["message"]["content"]));
            choice(each["index"].as_u64().unwrap_or(0), &text, each["finish_reason"].clone())
        });
        body["choices"] = told.collect();
        renamed(body)
    }
}

fn read(raw: &str) -> Option<Value> {
    serde_json::from_str(raw).ok().or_else(|| {
        let mut mended = serde_json::from_str(&halves::mend(raw)?).ok()?;
        halves::join_all(&mut mended);
        Some(mended)
    })
}

/// A chunk as a text completion. `text` is that of choice 0, in which halves of characters are put together already.
fn of_chunk(mut line: Value, text: &str) -> Option<Value> {
    let pieces = line.get_mut("choices").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
    let told: Vec<Value> = (0..)
        .zip(&pieces)
        .map(|(place, piece)| {
            let index = piece["index"].as_u64().unwrap_or(place);
            let text = if index == 0 { text.to_owned() } else { text_of(&piece["delta"]["content"]) };
            choice(index, &text, piece["finish_reason"].clone())
        })
        .filter(|each| each["text"] != "" || each["finish_reason"].as_str().is_some_and(|reason| !reason.is_empty()))
        .collect();
    // A frame that says only who speaks, or a filter's that has no choices, is nothing that a text has.
    let counts = line["usage"].is_object();
    (counts || !told.is_empty()).then(|| {
        line["choices"] = told.into();
        renamed(line)
    })
}

/// Content is a text, or a list of parts of which some are.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().filter(|part| part["type"] == "text").filter_map(|part| part["text"].as_str()).collect()
        }
        _ => String::new(),
    }
}

fn choice(index: u64, text: &str, finish_reason: Value) -> Value {
    json!({ "index": index, "text": text, "logprobs": null, "finish_reason": finish_reason })
}

/// What stands before a first chunk, with these choices.
fn head(chunk: Value, choices: Vec<Value>) -> Value {
    let names = ["id", "created", "model", "system_fingerprint"];
    let known: Map<String, Value> =
        names.iter().filter_map(|name| Some(((*name).to_owned(), chunk.get(name)?.clone()))).collect();
    let mut head = Value::Object(known);
    head["choices"] = choices.into();
    renamed(head)
}

/// The names that a text completion has.
fn renamed(mut body: Value) -> Value {
    body["object"] = "text_completion".into();
    if let Some(id) = body.get("id").and_then(Value::as_str) {
        body["id"] = format!("cmpl-{}", id.strip_prefix("chatcmpl-").unwrap_or(id)).into();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::Parsed;

    fn chunk(raw: &str) -> Chunk {
        let Ok(Parsed::Chunk(chunk)) = Chunk::parse(raw.to_owned().into()) else { panic!("not a chunk") };
        chunk
    }

    fn told(form: &TextForm, raw: &str, first: bool, wants_usage: bool) -> Vec<Value> {
        let lines = form.lines(&chunk(raw), first, wants_usage);
        lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    const ROLE: &str = r#"{"id":"chatcmpl-7","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;

    #[test]
    fn a_chunk_is_told_in_the_old_words_and_who_speaks_is_left_out() {
        let form = TextForm { echo: None, choices: 1 };
        assert!(told(&form, ROLE, true, false).is_empty());
        let word = ROLE.replace(r#""content":"""#, r#""content":"a""#);
        let expected = json!({"id": "cmpl-7", "object": "text_completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "text": "a", "logprobs": null, "finish_reason": null}]});
        assert_eq!(told(&form, &word, false, false), [expected]);
        let end = r#"{"id":"x","choices":[{"index":1,"delta":{"content":[{"type":"text","text":"b"}]},"finish_reason":"length"}]}"#;
        let ended = told(&form, end, false, false);
        assert_eq!(
            ended[0]["choices"],
            json!([{"index": 1, "text": "b", "logprobs": null, "finish_reason": "length"}])
        );
        assert_eq!(ended[0]["id"], "cmpl-x");
    }

    #[test]
    fn the_count_is_told_to_who_asked_for_it_also_of_an_answer_that_came_whole() {
        let form = TextForm { echo: None, choices: 1 };
        let count = r#"{"id":"chatcmpl-7","choices":[],"usage":{"total_tokens":3}}"#;
        assert_eq!(told(&form, count, false, true)[0]["usage"]["total_tokens"], 3);
        assert!(told(&form, count, false, false).is_empty());
        let whole = r#"{"id":"c","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{"total_tokens":3}}"#;
        let lines = told(&form, whole, true, true);
        assert_eq!((&lines[0]["choices"][0]["text"], &lines[0]["usage"]), (&json!("a"), &Value::Null));
        assert_eq!((&lines[1]["choices"], &lines[1]["usage"]["total_tokens"]), (&json!([]), &json!(3)));
    }

    #[test]
    fn the_prompt_stands_before_each_answer_if_it_is_to() {
        let form = TextForm { echo: Some("Q: ".into()), choices: 2 };
        let lines = told(&form, ROLE, true, false);
        assert_eq!((lines.len(), &lines[0]["id"]), (1, &json!("cmpl-7")));
        let texts: Vec<_> = lines[0]["choices"].as_array().expect("choices").iter().map(|each| &each["text"]).collect();
        assert_eq!(texts, ["Q: ", "Q: "]);
        let whole = r#"{"id":"c","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{"total_tokens":3}}"#;
        let body = form.whole(&[whole.into()]);
        let expected = json!({"id": "cmpl-c", "object": "text_completion", "usage": {"total_tokens": 3},
            "choices": [{"index": 0, "text": "Q: a", "logprobs": null, "finish_reason": "stop"}]});
        assert_eq!(body, expected);
    }
}
