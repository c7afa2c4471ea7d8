//! What begins, grows and closes with the chunks of answers.

use super::*;
use crate::openai::Parsed;

fn deltas(parts: &mut Parts, deltas: &[&str]) -> Vec<Change> {
    let read = |delta: &&str| {
        let raw = format!(r#"{{"choices":[{{"index":0,"delta":{delta}}}]}}"#);
        match Chunk::parse(raw.into()) {
            Ok(Parsed::Chunk(chunk)) => chunk,
            other => panic!("not a chunk: {other:?}"),
        }
    };
    deltas.iter().map(read).flat_map(|chunk| parts.chunk(&chunk)).collect()
}

fn call(id: &str, name: &str) -> PartKind {
    PartKind::Call { id: id.to_owned(), name: name.to_owned() }
}

fn kinds(parts: &Parts) -> Vec<PartKind> {
    parts.all().iter().map(|part| part.kind.clone()).collect()
}

#[test]
fn another_kind_closes_what_is_open_and_what_follows_later_is_a_new_part() {
    let mut parts = Parts::new("a");
    let changes =
        deltas(&mut parts, &[r#"{"content":"x"}"#, r#"{"reasoning":"h","content":""}"#, r#"{"content":"y"}"#]);
    let grew = |number, text: &str| Change::Grew(number, text.to_owned());
    let expected = [
        Change::Opened(0),
        grew(0, "x"),
        Change::Closed(0),
        Change::Opened(1),
        grew(1, "h"),
        Change::Closed(1),
        Change::Opened(2),
        grew(2, "y"),
    ];
    assert_eq!(changes, expected);
    assert_eq!(parts.close(), [Change::Closed(2)]);
}

#[test]
fn a_call_begins_when_its_tool_is_known_and_is_open_until_the_end() {
    let mut parts = Parts::new("a");
    let begin = r#"{"tool_calls":[{"index":0,"id":"i","function":{"arguments":"{"}}]}"#;
    assert_eq!(deltas(&mut parts, &[begin]), []);
    let name = r#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"}"}}]}"#;
    assert_eq!(deltas(&mut parts, &[name]), [Change::Opened(0), Change::Grew(0, "{}".into())]);
    deltas(&mut parts, &[r#"{"content":"x"}"#, r#"{"tool_calls":[{"index":0,"function":{"arguments":" "}}]}"#]);
    assert_eq!((parts.get(0).text.as_str(), kinds(&parts)), ("{} ", vec![call("i", "f"), PartKind::Text]));
    assert_eq!(parts.close(), [Change::Closed(0), Change::Closed(1)]);
}

#[test]
fn every_call_has_an_id_that_no_other_one_has() {
    let mut parts = Parts::new("a");
    let calls = r#"{"tool_calls":[{"index":0,"id":"i","function":{"name":"f"}},{"index":1,"id":"i","function":{"name":"g"}},
        {"index":2,"function":{"name":"h"}}]}"#;
    deltas(&mut parts, &[calls]);
    assert_eq!(kinds(&parts), [call("i", "f"), call("call_a_1", "g"), call("call_a_2", "h")]);
}

#[test]
fn calls_of_one_number_are_told_apart_by_their_ids() {
    let mut parts = Parts::new("a");
    let piece = |id: &str, more: &str| {
        format!(r#"{{"tool_calls":[{{"index":0,"id":"{id}","function":{{"name":"f","arguments":"{more}"}}}}]}}"#)
    };
    deltas(&mut parts, &[&piece("i", "1"), &piece("j", "2"), &piece("i", "3")]);
    assert_eq!(parts.all().iter().map(|part| &*part.text).collect::<Vec<_>>(), ["13", "2"]);
}

#[test]
fn what_has_neither_tool_nor_arguments_is_no_call() {
    let mut parts = Parts::new("a");
    deltas(&mut parts, &[r#"{"tool_calls":[{"index":0,"id":"i"},{"index":1,"function":{"arguments":"?"}}]}"#]);
    assert_eq!(parts.close(), [Change::Opened(0), Change::Grew(0, "?".into()), Change::Closed(0)]);
    assert_eq!(kinds(&parts), [call("call_a_1", "")]);
}

#[test]
fn halves_of_a_character_are_put_together_within_their_kind() {
    let mut parts = Parts::new("a");
    let first = [r#"{"content":"x\ud83d"}"#, r#"{"reasoning":"h\ud83e"}"#];
    deltas(&mut parts, &first);
    deltas(&mut parts, &[r#"{"content":"\ude00"}"#, r#"{"reasoning":"\udd14"}"#]);
    assert_eq!(parts.all().iter().map(|part| &*part.text).collect::<Vec<_>>(), ["x", "h", "😀", "🤔"]);
}

#[test]
fn whole_calls_without_number_and_id_are_calls_of_their_own() {
    let mut parts = Parts::new("a");
    deltas(
        &mut parts,
        &[r#"{"tool_calls":[{"function":{"name":"f","arguments":{"x":1}}},{"function":{"name":"g","arguments":{}}}]}"#],
    );
    assert_eq!(kinds(&parts), [call("call_a_0", "f"), call("call_a_1", "g")]);
}
