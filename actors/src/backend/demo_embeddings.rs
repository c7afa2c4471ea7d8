//! The demo's embeddings: a text is the bag of its words, so that texts which share words are near each other. Enough to see a search
//! over documents work before there is a model.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{BackendError, DEMO_MODEL};
use crate::openai::{Body, Chunk, each_element, embeddings};

/// How many numbers an embedding has if nothing else is asked for, and at most.
const DIMENSIONS: usize = 256;
const MOST_DIMENSIONS: usize = 4_096;

/// The answer to a request for embeddings.
pub(super) fn answer(body: &Body) -> Result<Chunk, BackendError> {
    let asked = body.get("dimensions").and_then(|count| count.parse().ok());
    let dimensions = asked.unwrap_or(DIMENSIONS).clamp(1, MOST_DIMENSIONS);
    let as_base64 = body.text("encoding_format").is_some_and(|format| format == "base64");
    let data: Vec<Value> = inputs(body.get("input").unwrap_or_default())
        .iter()
        .enumerate()
        .map(|(index, words)| {
            let numbers = of_words(words, dimensions);
            let embedding = if as_base64 { base64(&numbers).into() } else { json!(numbers) };
            json!({ "object": "embedding", "index": index, "embedding": embedding })
        })
        .collect();
    let tokens = embeddings::estimate_tokens(body);
    let usage = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
    let body = json!({ "object": "list", "data": data, "model": DEMO_MODEL, "usage": usage });
    embeddings::to_chunk(body.to_string().into()).map_err(|bad| BackendError::internal(&bad.to_string()))
}

/// The words of each text; a token is a word.
fn inputs(input: &str) -> Vec<Vec<String>> {
    let tokens = |list: &str| {
        let mut all = Vec::new();
        each_element(list, |token| all.push(token.to_owned()));
        all
    };
    let text = |quoted: &str| -> Vec<String> {
        let text: String = serde_json::from_str(quoted).unwrap_or_default();
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect()
    };
    if input.starts_with('"') {
        return vec![text(input)];
    }
    let mut all = Vec::new();
    each_element(input, |element| match element.as_bytes().first() {
        Some(b'"') => all.push(text(element)),
        Some(b'[') => all.push(tokens(element)),
        _ => {}
    });
    if all.is_empty() { vec![tokens(input)] } else { all }
}

/// Each word adds to one place that its letters choose; the whole has the length 1. Without words it is the first axis.
fn of_words(words: &[String], dimensions: usize) -> Vec<f32> {
    let mut numbers = vec![0_f32; dimensions];
    for word in words {
        numbers[crc32fast::hash(word.as_bytes()) as usize % dimensions] += 1.0;
    }
    let length = numbers.iter().map(|number| number * number).sum::<f32>().sqrt();
    match length > 0.0 {
        true => numbers.iter_mut().for_each(|number| *number /= length),
        false => numbers[0] = 1.0,
    }
    numbers
}

/// The numbers as OpenAI writes them for its SDKs: 32 bits each, the lowest byte first.
fn base64(numbers: &[f32]) -> String {
    STANDARD.encode(numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embed(body: Value) -> Vec<Value> {
        let chunk = answer(&Body::parse(&body.to_string().into()).expect("a body")).expect("an answer");
        let body: Value = serde_json::from_str(&chunk.raw).expect("JSON");
        body["data"].as_array().expect("a list").iter().map(|each| each["embedding"].clone()).collect()
    }

    fn likeness(one: &Value, other: &Value) -> f64 {
        let numbers = |of: &Value| -> Vec<f64> { serde_json::from_value(of.clone()).expect("numbers") };
        numbers(one).iter().zip(numbers(other)).map(|(one, other)| one * other).sum()
    }

    #[test]
    fn texts_that_share_words_are_near_each_other() {
        let texts = ["The sky is blue.", "Why is the SKY blue?", "Cats purr"];
        let found = embed(json!({ "input": texts }));
        assert_eq!(found[0].as_array().map(Vec::len), Some(DIMENSIONS));
        assert!(likeness(&found[0], &found[1]) > 0.8 && likeness(&found[0], &found[2]) < 0.3);
        assert!((likeness(&found[2], &found[2]) - 1.0).abs() < 1e-6);
        assert_eq!(found, embed(json!({ "input": texts })));
    }

    #[test]
    fn tokens_empty_texts_and_other_sizes_have_embeddings_too() {
        for (input, count) in [(json!([1, 2]), 1), (json!([[1, 2], [3]]), 2), (json!(""), 1)] {
            let found = embed(json!({ "input": input, "dimensions": 3 }));
            assert_eq!(found.len(), count, "{input}");
            assert!(found.iter().all(|each| (likeness(each, each) - 1.0).abs() < 1e-6), "{found:?}");
        }
    }

    #[test]
    fn base64_says_the_same_numbers() {
        let found = embed(json!({ "input": "a", "dimensions": 1, "encoding_format": "base64" }));
        assert_eq!(found, ["AACAPw=="]);
    }
}
