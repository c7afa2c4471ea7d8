//! What the events of a response say, as chunks.

use super::*;

fn read(events: &[Value]) -> Vec<Parsed> {
    let mut reader = ResponseReader::new("asked");
    events.iter().flat_map(|event| reader.event(&event.to_string()).expect("an event")).collect()
}

/// The deltas, with the reason behind the last one.
fn deltas(said: &[Parsed]) -> Vec<Value> {
    let chunks = said.iter().filter_map(|parsed| match parsed {
        Parsed::Chunk(chunk) => serde_json::from_str::<Value>(&chunk.raw).ok(),
        _ => None,
    });
    let choices = chunks.filter_map(|body| body["choices"].get(0).cloned());
    choices
        .map(
            |choice| {
                if choice["finish_reason"].is_null() {
                    choice["delta"].clone()
                } else {
                    choice["finish_reason"].clone()
                }
            },
        )
        .collect()
}

fn role() -> Value {
    json!({"role": "assistant", "content": ""})
}

#[test]
fn texts_refusals_and_thoughts_are_said_once_each() {
    let said = read(&[
        json!({"type": "response.created", "response": {"model": "real"}}),
        json!({"type": "response.in_progress", "response": {}}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning"}}),
        json!({"type": "response.reasoning_summary_text.delta", "delta": "hm"}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": {"type": "message"}}),
        json!({"type": "response.output_text.delta", "output_index": 1, "delta": "Hel"}),
        json!({"type": "response.output_text.delta", "output_index": 1, "delta": "lo"}),
        json!({"type": "response.output_text.done", "output_index": 1, "text": "Hello"}),
        json!({"type": "response.refusal.delta", "delta": "no"}),
        json!({"type": "response.completed", "response": {"usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7,
            "output_tokens_details": {"reasoning_tokens": 2}}}}),
    ]);
    let expected = [
        role(),
        json!({"reasoning_content": "hm"}),
        json!({"content": "Hel"}),
        json!({"content": "lo"}),
        json!({"refusal": "no"}),
        json!("stop"),
    ];
    assert_eq!(deltas(&said), expected);
    let [.., Parsed::Chunk(count), Parsed::Done] = &said[..] else { panic!("{said:?}") };
    let usage = count.usage.expect("a count");
    assert_eq!((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens), (3, 4, 7));
    assert!(
        count.raw.contains(r#""model":"real""#)
            && count.raw.contains(r#""completion_tokens_details":{"reasoning_tokens":2}"#)
    );
}

#[test]
fn calls_are_numbered_among_themselves_and_end_as_such() {
    let call = |at: u64, name: &str| json!({"type": "response.output_item.added", "output_index": at, "item": {"type": "function_call", "id": "fc", "call_id": name, "name": name, "arguments": ""}});
    let said = read(&[
        call(1, "f"),
        json!({"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{"}),
        call(2, "g"),
        json!({"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "[]"}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "}"}),
        json!({"type": "response.completed", "response": {}}),
    ]);
    let begun = |number: u64, name: &str| json!({"tool_calls": [{"index": number, "id": name, "type": "function", "function": {"name": name, "arguments": ""}}]});
    let grown = |number: u64, piece: &str| json!({"tool_calls": [{"index": number, "function": {"arguments": piece}}]});
    let expected =
        [role(), begun(0, "f"), grown(0, "{"), begun(1, "g"), grown(1, "[]"), grown(0, "}"), json!("tool_calls")];
    assert_eq!(deltas(&said), expected);
}

#[test]
fn an_end_before_the_end_says_why() {
    for (reason, expected) in [("max_output_tokens", "length"), ("content_filter", "content_filter")] {
        let incomplete = json!({"type": "response.incomplete", "response": {"incomplete_details": {"reason": reason}}});
        assert_eq!(deltas(&read(&[incomplete])), [role(), json!(expected)]);
    }
}

#[test]
fn errors_are_those_of_the_backend_in_each_of_their_shapes() {
    for event in [
        json!({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "no"}}}),
        json!({"type": "error", "code": "server_error", "message": "no", "param": null}),
        json!({"type": "error", "error": {"code": "server_error", "message": "no"}}),
        json!({"error": {"code": "server_error", "message": "no"}}),
    ] {
        let said = read(std::slice::from_ref(&event));
        let [Parsed::Error(error)] = &said[..] else { panic!("{event}: {said:?}") };
        assert_eq!((&*error.code, &*error.message), ("server_error", "no"), "{event}");
    }
}

#[test]
fn what_is_no_event_is_said_to_be_none() {
    for data in ["", "7", "{", "[]", "{}", r#"{"type":7}"#] {
        assert_eq!(ResponseReader::new("m").event(data), Err(BadChunk { bytes: data.len() }), "{data}");
    }
    assert_eq!(read(&[json!({"type": "response.something_new", "delta": "x"})]), []);
}

#[test]
fn a_response_that_came_whole_says_the_same() {
    let response = json!({"object": "response", "status": "completed", "model": "real", "usage": {"input_tokens": 1, "output_tokens": 2}, "output": [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "web_search_call", "status": "completed"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}, {"type": "refusal", "refusal": "no"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    ]});
    let said = ResponseReader::new("m").whole(response.to_string().as_bytes()).expect("a response");
    let begun = json!({"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}]});
    let grown = json!({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]});
    let expected = [
        role(),
        json!({"reasoning_content": "hm"}),
        json!({"response_item": {"type": "web_search_call", "status": "completed"}}),
        json!({"content": "Hello"}),
        json!({"refusal": "no"}),
        begun,
        grown,
        json!("tool_calls"),
    ];
    assert_eq!(deltas(&said), expected);
    assert_eq!(said.last(), Some(&Parsed::Done));
    for (body, is_error) in [
        (r#"{"status":"failed","output":[],"error":{"message":"no"}}"#, true),
        (r#"{"error":{"message":"no"}}"#, true),
        ("{}", false),
        ("x", false),
    ] {
        let said = ResponseReader::new("m").whole(body.as_bytes());
        assert_eq!(matches!(said.as_deref(), Ok([Parsed::Error(error)]) if error.message == "no"), is_error, "{body}");
    }
}
