//! Chunks as several servers write them, and the bodies that they make.

use serde_json::json;

use super::*;

fn joined(chunks: &[Value]) -> Value {
    from_chunks(&chunks.iter().map(|chunk| ByteString::from(chunk.to_string())).collect::<Vec<_>>())
}

fn delta(delta: Value) -> Value {
    json!({"id": "c", "object": "chat.completion.chunk", "created": 7, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn end(reason: &str) -> Value {
    json!({"id": "c", "object": "chat.completion.chunk", "created": 7, "model": "m",
        "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn message(deltas: &[Value]) -> Value {
    let chunks: Vec<Value> = deltas.iter().cloned().map(delta).chain([end("stop")]).collect();
    joined(&chunks)["choices"][0]["message"].clone()
}

#[test]
fn texts_are_joined_and_the_rest_is_told_once() {
    let whole = joined(&[
        json!({"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": [{"x": 1}]}),
        delta(json!({"role": "assistant", "content": ""})),
        delta(json!({"content": "Hel"})),
        delta(json!({"content": "lo"})),
        end("stop"),
        json!({"id": "c", "object": "chat.completion.chunk", "created": 7, "model": "m", "choices": [],
            "system_fingerprint": "fp", "obfuscation": "xyz",
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "details": {"cached": 1}}}),
    ]);
    let expected = json!({
        "id": "c", "object": "chat.completion", "created": 7, "model": "m", "system_fingerprint": "fp",
        "prompt_filter_results": [{"x": 1}],
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "logprobs": null,
            "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "details": {"cached": 1}},
    });
    assert_eq!(whole, expected);
}

#[test]
fn reasoning_refusals_and_unknown_fields_are_kept() {
    let message = message(&[
        json!({"role": "assistant", "reasoning_content": "I ", "reasoning": "a", "content": null}),
        json!({"reasoning_content": "think", "reasoning": "b", "x_note": "one"}),
        json!({"refusal": "No", "x_note": "two", "x_list": [1]}),
        json!({"refusal": ".", "x_list": [2], "x_note": null}),
    ]);
    let expected = json!({"role": "assistant", "content": null, "reasoning_content": "I think", "reasoning": "ab",
        "refusal": "No.", "x_note": "two", "x_list": [1, 2]});
    assert_eq!(message, expected);
}

#[test]
fn tool_calls_are_joined_by_their_numbers() {
    let message = message(&[
        json!({"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]}),
        json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"x\""}}]}),
        json!({"tool_calls": [{"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": "{"}}]}),
        json!({"tool_calls": [{"index": 0, "id": "", "function": {"name": null, "arguments": ":1}"}},
            {"index": 1, "id": null, "function": {"arguments": "}"}}]}),
    ]);
    let calls = json!([
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}},
        {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]);
    assert_eq!(message["tool_calls"], calls);
    assert_eq!(message["content"], Value::Null);
}

#[test]
fn tool_calls_without_numbers_are_told_apart_by_their_ids() {
    let message = message(&[
        json!({"tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}}]}),
        json!({"tool_calls": [{"function": {"arguments": "}"}}]}),
        json!({"tool_calls": [{"id": "b", "type": "custom", "custom": {"name": "g", "input": "x"}}]}),
        json!({"tool_calls": [{"id": "b", "custom": {"input": "y"}}]}),
    ]);
    let calls = json!([
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "b", "type": "custom", "custom": {"name": "g", "input": "xy"}},
    ]);
    assert_eq!(message["tool_calls"], calls);
}

#[test]
fn choices_and_their_log_probabilities_keep_apart() {
    let piece = |index: u64, text: &str, logprob: f64| {
        json!({"choices": [{"index": index, "delta": {"content": text},
            "logprobs": {"content": [{"token": text, "logprob": logprob}], "refusal": null}, "finish_reason": null}]})
    };
    let stop = json!({"choices": [{"index": 1, "delta": {}, "finish_reason": "length"},
        {"index": 0, "delta": {}, "finish_reason": "stop", "logprobs": null}]});
    let whole = joined(&[piece(1, "b", -0.25), piece(0, "a", -0.1), piece(0, "c", -2.7182818284590455), stop]);
    let choices = whole["choices"].as_array().unwrap();
    assert_eq!((&choices[0]["index"], &choices[0]["message"]["content"]), (&json!(0), &json!("ac")));
    assert_eq!((&choices[1]["index"], &choices[1]["message"]["content"]), (&json!(1), &json!("b")));
    let tokens = json!([{"token": "a", "logprob": -0.1}, {"token": "c", "logprob": -2.7182818284590455}]);
    assert_eq!(choices[0]["logprobs"], json!({"content": tokens, "refusal": null}));
    assert_eq!((&choices[0]["finish_reason"], &choices[1]["finish_reason"]), (&json!("stop"), &json!("length")));
}

#[test]
fn what_came_whole_goes_whole() {
    let chunk = json!({
        "id": "c", "object": "chat.completion.chunk", "created": 7, "model": "m", "x": null, "service_tier": "flex",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "content_filter_results": {"hate": 1},
            "delta": {"role": "assistant", "content": null, "annotations": [],
                "tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}}],
    });
    let expected = json!({
        "id": "c", "object": "chat.completion", "created": 7, "model": "m", "x": null, "service_tier": "flex",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "content_filter_results": {"hate": 1},
            "message": {"role": "assistant", "content": null, "annotations": [],
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}}],
    });
    assert_eq!(joined(&[chunk]), expected);
}

#[test]
fn the_old_form_of_calls_and_spoken_answers_are_joined_too() {
    let message = message(&[
        json!({"function_call": {"name": "f", "arguments": "{"}, "audio": {"id": "x", "transcript": "Hel"}}),
        json!({"function_call": {"arguments": "}"}, "audio": {"transcript": "lo", "expires_at": 9}}),
    ]);
    assert_eq!(message["function_call"], json!({"name": "f", "arguments": "{}"}));
    assert_eq!(message["audio"], json!({"id": "x", "transcript": "Hello", "expires_at": 9}));
}

#[test]
fn a_piece_with_another_id_begins_another_call_whatever_its_number() {
    let call = |index: Value, id: Value, arguments: &str| json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": {"name": "f", "arguments": arguments}}]});
    let whole = message(&[
        call(json!(0), json!("a"), ""),
        call(json!(0), json!(null), "1"),
        call(json!(0), json!("a"), "2"),
        call(json!(0), json!("b"), "3"),
        call(json!(0), json!(""), "4"),
        call(json!(1), json!(null), "5"),
        call(json!(1), json!("c"), "6"),
    ]);
    let told: Vec<(&str, &str)> = whole["tool_calls"]
        .as_array()
        .expect("calls")
        .iter()
        .map(|call| (call["id"].as_str().expect("an id"), call["function"]["arguments"].as_str().expect("a text")))
        .collect();
    assert_eq!(told, [("a", "12"), ("b", "34"), ("c", "56")]);
}

#[test]
fn a_list_as_content_stays_a_list() {
    let thinking = json!({"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]});
    let pieces = [
        json!({"content": ""}),
        json!({"content": [thinking]}),
        json!({"content": ""}),
        json!({"content": "a"}),
        json!({"content": "b"}),
    ];
    assert_eq!(message(&pieces)["content"], json!([thinking, {"type": "text", "text": "ab"}]));
    let pieces = [json!({"content": "a"}), json!({"content": [thinking]}), json!({"content": null})];
    assert_eq!(message(&pieces)["content"], json!([{"type": "text", "text": "a"}, thinking]));
}

#[test]
fn a_character_that_was_cut_in_two_is_put_together() {
    let piece = |text: &str| format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#).into();
    let whole = from_chunks(&[piece("a\\ud83d"), piece("\\ude00b"), piece("\\ud83d")]);
    assert_eq!(whole["choices"][0]["message"]["content"], "a😀b\u{fffd}");
}
