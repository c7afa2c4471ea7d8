//! What must hold of whatever backends answer, in every dialect.

use serde::Serialize;

use super::agui::{AguiFold, Run};
use super::responses::request::to_chat;
use super::responses::{Echo, Head, Items, Response, ResponseFold, StoredRequest};
use super::text::TextFold;
use super::ui::UiFold;
use super::{AnswerEnd, Fold};
use crate::openai::{Api, Body, Chunk, Parsed};
use crate::protocol::ErrorCode;

/// The first line chooses how the answer ended, the others are its chunks: each event is one line, and who comes back after any chunk
/// is given what was missed.
pub fn folds(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (choice, rest) = text.split_once('\n').unwrap_or((text, ""));
    let end = end(choice);
    let read = |line: &str| match Chunk::parse(line.into()) {
        Ok(Parsed::Chunk(chunk)) => Some(chunk),
        _ => None,
    };
    let chunks: Vec<Chunk> = rest.split(['\n', '\r']).filter_map(read).take(20).collect();
    let run = || {
        let [thread, run, answer, model] = ["t", "r", "a", "m"].map(str::to_owned);
        Run { thread, run, answer, model }
    };
    let head =
        || Head { answer: "a".to_owned(), created_at: 0, model: "m".to_owned(), echo: Echo::of(&Body::default()) };
    holds(|| UiFold::new("a", None), &chunks, &end);
    holds(|| AguiFold::new(run()), &chunks, &end);
    holds(TextFold::default, &chunks, &end);
    let events = holds(|| ResponseFold::new(head()), &chunks, &end);
    let retrieved = serde_json::to_string(&Response::of(head(), &chunks, Some(&end))).expect("JSON");
    assert!(events.last().is_some_and(|last| last.contains(&retrieved)), "it is retrieved as it was told");
}

/// A request for a response asks the same when its items bear ids, and is kept as it was asked.
pub fn response_request(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(body) = Body::parse(&text.into()) else { return };
    let asked = |body: &Body| to_chat(body, Api::ChatCompletions, Vec::new(), &|_| None).map_err(|bad| bad.field);
    let Some(items) = Items::of_input(&body, "a") else {
        assert!(asked(&body).is_err(), "it has no input");
        return;
    };
    assert_eq!(Items::read(&items.json()), items);
    let mut named = body.clone();
    named.set_text("input", items.json());
    assert_eq!(asked(&named), asked(&body));
    let stored = StoredRequest::new(&body, &items, &items);
    let kept = StoredRequest::read(&stored.text()).expect("what is kept is found");
    assert_eq!((kept.echo(), kept.items().iter().count()), (Echo::of(&body), 2 * items.iter().count()));
}

fn end(choice: &str) -> AnswerEnd {
    match choice {
        "cancelled" => AnswerEnd::Cancelled,
        "steered" => AnswerEnd::Steered,
        "interrupted" => AnswerEnd::Failed { code: ErrorCode::Interrupted, reason: "it was cut off".to_owned() },
        word => AnswerEnd::Complete { finish_reason: word.to_owned(), usage: None },
    }
}

/// All events of an answer, if what was said of them holds.
fn holds<F: Fold<Event: Serialize>>(fold: impl Fn() -> F, chunks: &[Chunk], end: &AnswerEnd) -> Vec<String> {
    let written = |events: Vec<F::Event>| -> Vec<String> {
        events.iter().map(|event| serde_json::to_string(event).expect("JSON")).collect()
    };
    let beginning = |fold: &mut F, chunks: &[Chunk]| {
        let mut told = written(fold.begin());
        chunks.iter().for_each(|chunk| told.extend(written(fold.chunk(chunk))));
        told
    };
    let mut whole = fold();
    let mut events = beginning(&mut whole, chunks);
    events.extend(written(whole.end(end)));
    assert!(events.iter().all(|event| !event.contains(['\n', '\r'])), "an event is one line: {events:?}");
    for cut in 0..chunks.len() {
        let seen = beginning(&mut fold(), &chunks[..cut]);
        assert_eq!(seen, events[..seen.len()], "cut at {cut}");
    }
    events
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_seeds_of_folds_hold() {
        sophie_kit::seeds::play("dialect_folds", super::folds);
    }

    #[test]
    fn the_seeds_of_requests_for_responses_hold() {
        sophie_kit::seeds::play("response_requests", super::response_request);
    }
}
