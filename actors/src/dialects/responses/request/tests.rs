//! Requests for responses as chat completions.

use serde_json::{Value, json};

use super::*;
use crate::dialects::responses::ItemStatus;

fn ask(request: Value) -> Result<ChatQuestion, BadRequest> {
    let request = Body::parse(&request.to_string().into()).expect("a body");
    let known = |id: &str| {
        (id == "fc_a_0").then(|| Item::FunctionCall {
            id: id.to_owned(),
            call_id: "c".to_owned(),
            name: "f".to_owned(),
            arguments: "{}".to_owned(),
            status: ItemStatus::Completed,
        })
    };
    to_chat(&request, Api::ChatCompletions, vec![ChatMessage::says("user", "before")], &known)
}

fn sent(request: Value) -> Value {
    let question = ask(request.clone()).unwrap_or_else(|bad| panic!("{bad}: {request}"));
    serde_json::from_str(&question.body.to_string()).expect("JSON")
}

#[test]
fn a_text_is_a_message_after_the_instructions_and_what_was_said_before() {
    let asked = json!({"model": "m", "input": "hi", "instructions": "be brief", "max_output_tokens": 9, "temperature": 0.5,
        "reasoning": {"effort": "low", "summary": "auto"}, "store": true, "stream": true, "metadata": {"k": "v"}, "user": "u"});
    let expected = json!({"model": "m", "max_completion_tokens": 9, "temperature": 0.5, "reasoning_effort": "low", "messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "before"},
        {"role": "user", "content": "hi"},
    ]});
    assert_eq!(sent(asked), expected);
}

#[test]
fn items_are_messages_and_calls_are_with_what_was_said_before_them() {
    let asked = json!({"model": "m", "input": [
        {"role": "developer", "content": "d"},
        {"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": "see"},
            {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"},
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="},
        ]},
        {"type": "reasoning", "id": "rs_a_0", "summary": []},
        {"type": "message", "id": "msg_a_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "wait", "annotations": []}]},
        {"type": "function_call", "call_id": "x", "name": "g", "arguments": "{}"},
        {"type": "item_reference", "id": "fc_a_0"},
        {"type": "function_call_output", "call_id": "x", "output": "1"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "2"}]},
    ]});
    let call =
        |id: &str, name: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}});
    let expected = json!([
        {"role": "user", "content": "before"},
        {"role": "system", "content": "d"},
        {"role": "user", "content": [
            {"type": "text", "text": "see"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}},
        ]},
        {"role": "assistant", "content": "wait", "tool_calls": [call("x", "g"), call("c", "f")]},
        {"role": "tool", "content": "1", "tool_call_id": "x"},
        {"role": "tool", "content": "2", "tool_call_id": "c"},
    ]);
    assert_eq!(sent(asked)["messages"], expected);
}

#[test]
fn formats_are_said_in_the_other_words() {
    let format = |format: Value| {
        sent(json!({"model": "m", "input": "hi", "text": {"format": format}}))["response_format"].clone()
    };
    assert_eq!(format(json!({"type": "text"})), Value::Null);
    assert_eq!(format(json!({"type": "json_object"})), json!({"type": "json_object"}));
    let schema = json!({"type": "json_schema", "name": "n", "strict": true, "schema": {"type": "object"}});
    let expected =
        json!({"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": {"type": "object"}}});
    assert_eq!(format(schema), expected);
}

#[test]
fn tools_that_no_backend_has_are_left_out_and_named() {
    let function = json!({"type": "function", "name": "f", "parameters": {"z": 1, "a": 2}, "strict": null});
    let tools = json!([{"type": "web_search"}, function, {"type": "namespace", "name": "n"}, {"type": "custom", "name": "c"},
        {"type": "web_search_preview"}]);
    let ask = |choice: Value| ask(json!({"model": "m", "input": "hi", "tools": tools, "tool_choice": choice}));
    let question = ask(json!("auto")).expect("a question");
    assert_eq!(question.dropped, ["web_search", "namespace:n", "custom:c", "web_search_preview"]);
    let body: Value = serde_json::from_str(&question.body.to_string()).expect("JSON");
    let expected = json!([{"type": "function", "function": {"name": "f", "parameters": {"z": 1, "a": 2}}}]);
    assert_eq!((&body["tools"], &body["tool_choice"]), (&expected, &json!("auto")));
    let chosen = |choice: Value| {
        let body: Value = serde_json::from_str(&ask(choice).expect("a question").body.to_string()).expect("JSON");
        body["tool_choice"].clone()
    };
    let function = json!({"type": "function", "function": {"name": "f"}});
    assert_eq!(chosen(json!({"type": "function", "name": "f"})), function);
    let allowed = json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]});
    assert_eq!(chosen(allowed), "required");
    for (choice, field) in [
        (json!({"type": "function", "name": "g"}), "tool_choice.name"),
        (json!({"type": "web_search"}), "tool_choice.type"),
        (json!({"type": "allowed_tools", "mode": "required", "tools": []}), "tool_choice"),
        (json!(7), "tool_choice"),
    ] {
        assert_eq!(ask(choice.clone()).expect_err("refused").field, field, "{choice}");
    }
}

#[test]
fn where_no_tool_is_left_none_is_asked_for() {
    let asked = json!({"model": "m", "input": "hi", "tools": [{"type": "web_search"}], "tool_choice": "auto", "parallel_tool_calls": true});
    let body = sent(asked);
    assert!(["tools", "tool_choice", "parallel_tool_calls"].iter().all(|name| body.get(name).is_none()), "{body}");
}

#[test]
fn what_is_wrong_is_named() {
    let with = |name: &str, value: Value| {
        let mut asked = json!({"model": "m", "input": "hi"});
        asked[name] = value;
        asked
    };
    let item = |item: Value| with("input", json!([item]));
    for (asked, field) in [
        (json!({"input": "hi"}), "model"),
        (json!({"model": "m"}), "input"),
        (with("input", json!(7)), "input"),
        (item(json!(7)), "input[0]"),
        (item(json!({"type": "computer_call"})), "input[0].type"),
        (item(json!({"role": "user"})), "input[0].content"),
        (item(json!({"role": "robot", "content": "x"})), "input[0].role"),
        (
            item(json!({"role": "user", "content": [{"type": "input_image", "file_id": "x"}]})),
            "input[0].content[0].image_url",
        ),
        (item(json!({"role": "user", "content": [{"type": "input_audio"}]})), "input[0].content[0].type"),
        (item(json!({"type": "function_call", "call_id": "x", "arguments": "{}"})), "input[0].name"),
        (
            item(
                json!({"type": "function_call_output", "call_id": "x", "output": [{"type": "input_image", "image_url": "u"}]}),
            ),
            "input[0].output[0].type",
        ),
        (item(json!({"type": "item_reference", "id": "msg_other_0"})), "input[0].id"),
        (with("instructions", json!(7)), "instructions"),
        (with("max_output_tokens", json!("many")), "max_output_tokens"),
        (with("reasoning", json!("deep")), "reasoning"),
        (with("text", json!({"format": {"type": "xml"}})), "text.format.type"),
        (with("text", json!({"format": {"type": "json_schema", "name": "n"}})), "text.format.schema"),
        (with("tools", json!([{"type": "function", "name": "f"}, {"type": "code_interpreter"}])), "tools[1].type"),
        (with("tools", json!([{"type": "function"}])), "tools[0].name"),
        (with("tools", json!("all")), "tools"),
        (with("conversation", json!("conv_1")), "conversation"),
    ] {
        let bad = ask(asked.clone()).expect_err("refused");
        assert_eq!(bad.field, field, "{asked}");
        assert!(bad.message.contains(&format!("'{field}'")), "{bad}");
    }
}
