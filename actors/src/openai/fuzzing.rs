//! What must hold of whatever callers ask and backends answer.

use bytes::Bytes;
use bytestring::ByteString;

use super::completion::{from_chunks, to_chunk};
use super::error::{Meaning, ReportedError};
use super::{Api, Body, Choices, Chunk, Parsed, Question, Weight};
use super::{canonical, chunk, estimate_prompt_tokens, named_models, request, stream_options};

/// A body is written as it was read, also as the backend gets it; two of which one is the other written anew are one question; and
/// no model is named that a restricted caller may not ask.
pub fn request(data: &[u8]) {
    let Ok(text) = ByteString::try_from(data) else { return };
    let Ok(body) = Body::parse(&text) else {
        assert!(Question::read(Bytes::copy_from_slice(data)).is_err(), "a question is a body");
        return;
    };
    let again = Body::parse(&body.to_string().into()).expect("a body stays one");
    assert_eq!(again, body);
    let question = |body: &Body| {
        let mut all = String::new();
        canonical::write(body, |piece| all.push_str(piece));
        all
    };
    assert_eq!(question(&again), question(&body));
    let for_backend = |api, body: &Body| request::for_backend(api, &body.clone().into(), "");
    let (sent, streams) = for_backend(Api::ChatCompletions, &body).expect("a chat completion has words for all of it");
    assert_eq!(Body::parse(&sent.to_string().into()).expect("a body is sent"), sent);
    assert_eq!(streams, sent.get("stream") == Some("true"));
    let ready = for_backend(Api::ChatCompletions, &sent).map(|(body, _)| body);
    assert_eq!(ready.as_ref(), Ok(&sent), "what was made ready once is ready");
    if let Ok((response, _)) = for_backend(Api::Responses, &body) {
        assert_eq!(Body::parse(&response.to_string().into()).expect("a translation is a body"), response);
    }
    assert!(estimate_prompt_tokens(&body) <= text.len() as u64 * 2_000 + 10, "each byte costs little");
    let named = body.text("model").is_some_and(|model| model.split(',').any(|name| !name.trim().is_empty()));
    if named {
        assert!(named_models::forbidden(&body, &|_| false).is_some(), "its model is named");
    }
    if let Ok(question) = Question::read(Bytes::copy_from_slice(data)) {
        assert!(named, "a question names its model");
        let sent = question.body.to_string();
        Question::read(sent.into()).expect("a question stays one");
    }
    weight(data);
}

/// A text weighs the same in any pieces.
fn weight(data: &[u8]) {
    let of = |size: usize| {
        let mut weight = Weight::default();
        data.chunks(size).for_each(|piece| weight.add(piece));
        weight.tokens()
    };
    assert_eq!(of(1), of(data.len().max(1)));
    assert_eq!(of(7), of(1));
}

/// A data line, which no line end is in, is read in the quick way as in the slow one, what callers are told of it is JSON, and many of them make an answer.
pub fn chunks(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut all = Vec::new();
    for line in text.split(['\n', '\r']).take(20) {
        let raw = ByteString::from(line);
        let Ok(Parsed::Chunk(chunk)) = Chunk::parse(raw.clone()) else { continue };
        assert!(chunk::is_read_alike(&raw), "{raw}");
        assert_eq!(chunk.raw, raw);
        _ = (chunk.is_visible(), chunk.failure());
        for (first, wants_usage) in [(true, true), (true, false), (false, true), (false, false)] {
            for told in stream_options::lines(&chunk, first, wants_usage).into_iter().flatten() {
                assert!(told == raw || Body::parse(&told).is_ok(), "{told}");
                assert!(!told.contains(['\n', '\r']), "one line: {told:?}");
            }
        }
        all.push(chunk);
    }
    let kept = Choices::of(&all);
    let raws: Vec<ByteString> = all.into_iter().map(|chunk| chunk.raw).collect();
    let answer = from_chunks(&raws);
    assert!(answer["choices"].is_array());
    if kept.is_worth_keeping(1) {
        assert!(kept.is_finished() && !kept.is_flawed());
    }
}

/// A whole answer that became a chunk becomes the same answer again, and a refusal has a meaning and a short beginning.
pub fn answer(data: &[u8]) {
    let told = ReportedError::in_response(data);
    assert!(told.beginning.chars().count() <= 300, "{}", told.beginning);
    _ = [None, Some(400), Some(429), Some(500)].map(|status| Meaning::of(status, &told));
    let Ok(chunk) = to_chunk(data) else { return };
    let answer = from_chunks(&[chunk.raw]);
    let again = to_chunk(answer.to_string().as_bytes()).expect("an answer stays one");
    assert_eq!(from_chunks(std::slice::from_ref(&again.raw)), answer);
    assert_eq!(again.text, chunk.text);
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_seeds_of_requests_chunks_and_answers_hold() {
        sophie_kit::seeds::play("openai_requests", super::request);
        sophie_kit::seeds::play("openai_chunks", super::chunks);
        sophie_kit::seeds::play("openai_answers", super::answer);
    }
}
