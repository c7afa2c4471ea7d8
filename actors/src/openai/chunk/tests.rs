//! Data lines as servers write them.

use super::*;

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
