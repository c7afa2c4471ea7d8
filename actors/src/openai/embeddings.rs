//! Embeddings: a request as a caller sends it, and the answer as the one chunk that it is. What is embedded stays as it came, and so do
//! the numbers, which may be as many as a book has letters: neither is ever made into a tree. Pure.

use bytes::Bytes;
use bytestring::ByteString;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::completion::BadCompletion;
use super::error::{ErrorObject, ReportedError};
use super::question::{missing, read_model, read_object, wrong_type};
use super::tokens::of_json;
use super::{Body, Chunk, each_element};

/// Takes the body of a request apart, as far as has to be known of it.
///
/// # Errors
/// It is no request for embeddings.
pub fn read(bytes: Bytes) -> Result<Body, ErrorObject> {
    let body = read_object(bytes)?;
    read_model(&body)?;
    if !body.says("input") {
        return Err(missing("input"));
    }
    if inputs(&body) == 0 {
        let expected = "a string, or an array of strings, of tokens, or of arrays of tokens, which is not empty";
        return Err(wrong_type("input", expected));
    }
    if body.says("encoding_format") && body.text("encoding_format").is_none() {
        return Err(wrong_type("encoding_format", "a string"));
    }
    if body.says("dimensions") && body.get("dimensions").is_none_or(|count| count.parse::<u32>().unwrap_or(0) == 0) {
        return Err(wrong_type("dimensions", "a whole number of at least 1"));
    }
    Ok(body)
}

/// How many texts are to be embedded: a list of tokens is one text. None, if it is nothing that can be.
pub fn inputs(body: &Body) -> u64 {
    let input = body.get("input").unwrap_or_default();
    if input.starts_with('"') {
        return 1;
    }
    let (mut texts, mut tokens, mut others) = (0, 0, 0);
    each_element(input, |element| match element.as_bytes().first() {
        Some(b'"') => texts += 1,
        Some(b'[') if count_tokens(element).is_some_and(|count| count > 0) => texts += 1,
        Some(_) if is_token(element) => tokens += 1,
        _ => others += 1,
    });
    match (texts, tokens, others) {
        (texts, 0, 0) => texts,
        (0, 1.., 0) => 1,
        _ => 0,
    }
}

/// About how many tokens the backend reads of a request.
pub fn estimate_tokens(body: &Body) -> u64 {
    let input = body.get("input").unwrap_or_default();
    if input.starts_with('"') {
        return of_json(input).max(1);
    }
    let mut all = 0;
    each_element(input, |element| {
        all += match element.as_bytes().first() {
            Some(b'"') => of_json(element).max(1),
            Some(b'[') => count_tokens(element).unwrap_or(0),
            _ => 1,
        };
    });
    all
}

/// How many tokens a list has; `None` if something else is in it.
fn count_tokens(list: &str) -> Option<u64> {
    let (mut count, mut are_tokens) = (0, true);
    each_element(list, |element| {
        count += 1;
        are_tokens &= is_token(element);
    });
    are_tokens.then_some(count)
}

fn is_token(element: &str) -> bool {
    element.parse::<u64>().is_ok()
}

/// A body as a backend writes it, as far as it is looked at.
#[derive(Deserialize)]
struct Answer {
    data: Vec<Embedding>,
    #[serde(default)]
    usage: Value,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Embedding {
    #[serde(rename = "embedding")]
    _numbers: IgnoredAny,
}

/// The answer as one chunk that is the body: as many finished choices as it has embeddings, so that one which lacks some is not kept.
///
/// # Errors
/// It is no answer.
pub fn to_chunk(bytes: Bytes) -> Result<Chunk, BadCompletion> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").map_or(bytes.clone(), |rest| bytes.slice_ref(rest));
    match serde_json::from_slice(&bytes) {
        Ok(Answer { data, usage, error: None }) if !data.is_empty() => {
            let raw = ByteString::try_from(bytes).map_err(|_| BadCompletion::Json)?;
            Ok(Chunk::of_parts(raw, data.len() as u64, usage))
        }
        _ => {
            let body: Value = serde_json::from_slice(&bytes).map_err(|_| BadCompletion::Json)?;
            Err(ReportedError::in_stream(&body).map_or(BadCompletion::NoAnswer, BadCompletion::Reported))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::openai::Choices;

    fn asked(body: Value) -> Result<Body, ErrorObject> {
        read(body.to_string().into())
    }

    #[test]
    fn texts_and_tokens_are_counted_one_by_one_and_together() {
        for (input, count, tokens) in [
            (json!("one of 15 chars"), 1, 4),
            (json!(""), 1, 1),
            (json!(["12345678", "1"]), 2, 3),
            (json!([1, 2, 3]), 1, 3),
            (json!([[1, 2, 3], [4]]), 2, 4),
        ] {
            let body = asked(json!({"model": "m", "input": input})).unwrap();
            assert_eq!((inputs(&body), estimate_tokens(&body)), (count, tokens), "{input}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_what_is_not_known_stays() {
        let odd = json!({"model": "m", "input": "a", "dimensions": 3, "encoding_format": "int8", "x_new": [1]});
        let body = asked(odd.clone()).unwrap();
        assert_eq!(body.to_string(), odd.to_string());
        for (body, param) in [
            (json!({"input": "a"}), "model"),
            (json!({"model": "m"}), "input"),
            (json!({"model": "m", "input": null}), "input"),
            (json!({"model": "m", "input": 7}), "input"),
            (json!({"model": "m", "input": {"text": "a"}}), "input"),
            (json!({"model": "m", "input": []}), "input"),
            (json!({"model": "m", "input": [[]]}), "input"),
            (json!({"model": "m", "input": ["a", 7]}), "input"),
            (json!({"model": "m", "input": [null]}), "input"),
            (json!({"model": "m", "input": [["a"]]}), "input"),
            (json!({"model": "m", "input": [-1]}), "input"),
            (json!({"model": "m", "input": "a", "encoding_format": 7}), "encoding_format"),
            (json!({"model": "m", "input": "a", "dimensions": 0}), "dimensions"),
            (json!({"model": "m", "input": "a", "dimensions": "3"}), "dimensions"),
        ] {
            assert_eq!(asked(body.clone()).unwrap_err().body()["error"]["param"], param, "{body}");
        }
    }

    #[test]
    fn an_answer_is_the_body_as_it_came_and_worth_keeping_if_no_embedding_is_missing() {
        let body = r#"{"object":"list", "data":[{"index":0,"embedding":[0.10,1e-3]},{"index":1,"embedding":"AACAPw=="}],
            "usage":{"prompt_tokens":3,"total_tokens":3}}"#;
        let chunk = to_chunk(body.into()).unwrap();
        assert_eq!((&*chunk.raw, chunk.usage.map(|usage| usage.prompt_tokens)), (body, Some(3)));
        assert!(chunk.is_visible() && chunk.text.is_empty());
        let answer = Choices::of([&chunk]);
        assert!(answer.is_worth_keeping(2) && !answer.is_worth_keeping(3));
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for body in ["", "[]", "{}", r#"{"data":[]}"#, r#"{"data":[{}]}"#, r#"{"data":[1]}"#, r#"{"choices":[{}]}"#] {
            assert!(matches!(to_chunk(body.into()), Err(BadCompletion::Json | BadCompletion::NoAnswer)), "{body}");
        }
        let error = r#"{"data":[{"embedding":[1]}],"error":{"message":"overloaded"}}"#;
        assert!(matches!(to_chunk(error.into()), Err(BadCompletion::Reported(error)) if error.message == "overloaded"));
    }
}
