//! What agents' clients post.

use serde_json::json;

use super::*;

fn read(body: Value) -> Result<RunRequest, BadRequest> {
    RunRequest::read(&Body::parse(&body.to_string().into()).expect("a body"))
}

fn asked() -> Value {
    let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    json!({"threadId": "t1", "runId": "r1", "state": {}, "forwardedProps": {}, "protocolVersion": "1.0",
    "tools": [{"name": "f", "description": "d", "parameters": {"z": 1, "a": 2}, "metadata": {"x": 1}}],
    "context": [{"description": "page", "value": "cart"}],
    "messages": [
        {"id": "0", "role": "developer", "content": "be brief"},
        {"id": "1", "role": "user", "content": "hi"},
        {"id": "2", "role": "reasoning", "content": "hm"},
        {"id": "3", "role": "assistant", "content": "wait", "toolCalls": [call]},
        {"id": "4", "role": "tool", "toolCallId": "c", "content": "1"},
        {"id": "5", "role": "user", "content": [{"type": "text", "text": "see"},
            {"type": "image", "source": {"type": "data", "value": "AA==", "mimeType": "image/png"}}]},
    ]})
}

#[test]
fn the_last_message_of_the_user_is_the_question() {
    let run = read(asked()).expect("a run");
    assert_eq!(
        (run.thread.as_str(), &*run.run, &*run.question.id, run.question.text()),
        ("t1", "r1", "5", "see".into())
    );
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}});
    assert_eq!(json!(run.question.to_chat())["content"][1], image);
    let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let earlier = json!([
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "wait", "tool_calls": [call]},
        {"role": "tool", "content": "1", "tool_call_id": "c"},
    ]);
    assert_eq!((json!(run.earlier), run.results.len()), (earlier, 0));
    let tool = r#"{"type":"function","function":{"description":"d","name":"f","parameters":{"a":2,"z":1}}}"#;
    assert_eq!((run.tools, run.context.as_deref()), (vec![tool.to_owned()], Some("page: cart")));
}

#[test]
fn results_of_tools_that_stand_last_are_what_the_run_brings() {
    let mut body = asked();
    let messages = body["messages"].as_array_mut().expect("a list");
    messages.truncate(4);
    messages.push(json!({"id": "5", "role": "tool", "toolCallId": "c", "content": "1"}));
    messages.push(json!({"id": "6", "role": "tool", "toolCallId": "d", "content": "", "error": "away"}));
    let run = read(body).expect("a run");
    assert_eq!(run.results, [ChatMessage::result("c", "1"), ChatMessage::result("d", "away")]);
    assert_eq!(run.question.id, "1");
}

#[test]
fn who_has_half_of_the_answer_is_told_the_messages_without_it() {
    let run = read(asked()).expect("a run");
    assert_eq!(run.messages_without("other"), None);
    let others: Value = serde_json::from_str(run.messages_without("3").expect("messages").as_str()).expect("JSON");
    let ids: Vec<_> = others.as_array().expect("a list").iter().map(|message| &message["id"]).collect();
    assert_eq!(ids, ["0", "1", "2", "4", "5"]);
}

#[test]
fn what_is_wrong_is_named() {
    let with = |name: &str, value: Value| {
        let mut body = asked();
        body[name] = value;
        body
    };
    let user = |content: Value| with("messages", json!([{"id": "1", "role": "user", "content": content}]));
    for (body, field) in [
        (json!({"runId": "r", "messages": []}), "threadId"),
        (with("threadId", json!("a b")), "threadId"),
        (with("runId", json!("r\n")), "runId"),
        (with("runId", json!("r".repeat(257))), "runId"),
        (with("messages", Value::Null), "messages"),
        (with("messages", json!({})), "messages"),
        (with("messages", json!([])), "messages"),
        (with("messages", json!([{"role": "user", "content": "hi"}])), "messages[0].id"),
        (user(json!("")), "messages[0].content"),
        (user(json!(7)), "messages[0].content"),
        (
            user(json!([{"type": "video", "source": {"type": "url", "value": "u", "mimeType": "video/mp4"}}])),
            "messages[0].content[0]",
        ),
        (with("tools", json!([{"description": "d"}])), "tools[0].name"),
        (with("tools", json!(["f"])), "tools[0]"),
        (with("context", json!(7)), "context"),
        (with("resume", json!([{"interruptId": "i", "status": "resolved"}])), "resume"),
    ] {
        assert_eq!(read(body.clone()).expect_err("refused").field, field, "{body}");
    }
}
