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
    assert_eq!((json!(run.earlier), run.behind.len()), (earlier, 0));
    let tool = r#"{"type":"function","function":{"description":"d","name":"f","parameters":{"a":2,"z":1}}}"#;
    assert_eq!((run.tools, run.context.as_deref()), (vec![tool.to_owned()], Some("page: cart")));
}

fn call(id: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}})
}

/// A run with these messages behind its question.
fn followed_by(behind: Value) -> Value {
    let mut body = asked();
    body["messages"] = json!([{"id": "1", "role": "user", "content": "hi"}]);
    body["messages"].as_array_mut().expect("a list").extend(behind.as_array().expect("a list").clone());
    body
}

#[test]
fn results_of_tools_that_stand_last_are_what_the_run_brings_with_their_calls() {
    let result = |call: &str| json!({"id": format!("r{call}"), "role": "tool", "toolCallId": call, "content": call});
    let body = followed_by(json!([
        {"id": "3", "role": "assistant", "content": "wait", "toolCalls": [call("c"), call("d")]},
        {"id": "4", "role": "reasoning", "content": "hm"},
        result("d"), result("d"),
        {"id": "6", "role": "tool", "toolCallId": "c", "content": "", "error": "away"},
        {"id": "7", "role": "assistant", "content": "said beside"},
        {"id": "8", "role": "assistant", "toolCalls": [call("e")]},
        result("e"),
    ]));
    let run = read(body.clone()).expect("a run");
    assert_eq!(run.question.id, "1");
    let told = json!([
        {"role": "assistant", "content": "wait", "tool_calls": [call("c"), call("d")]},
        {"role": "tool", "content": "d", "tool_call_id": "d"},
        {"role": "tool", "content": "away", "tool_call_id": "c"},
        {"role": "assistant", "content": "", "tool_calls": [call("e")]},
        {"role": "tool", "content": "e", "tool_call_id": "e"},
    ]);
    let behind = |run: &RunRequest| run.behind.iter().map(|behind| behind.message.clone()).collect::<Vec<_>>();
    assert_eq!((json!(behind(&run)), &*run.behind[0].id), (told, "3"));
    // A client that has half of what came of them brings nothing.
    let mut cut = body;
    cut["messages"].as_array_mut().expect("a list").push(json!({"id": "9", "role": "assistant", "content": "The re"}));
    assert_eq!(read(cut).expect("a run").behind, []);
    let calls = json!({"id": "3", "role": "assistant", "toolCalls": [call("c"), call("d")]});
    for (behind, field) in [
        (json!([calls, result("c")]), "messages"),
        (json!([result("c")]), "messages[1].toolCallId"),
        (
            json!([calls, result("c"), {"role": "assistant", "toolCalls": [call("e")]}, result("e")]),
            "messages[3].toolCalls",
        ),
        (json!([calls, {"id": "4", "role": "tool", "content": "1"}]), "messages[2].toolCallId"),
    ] {
        assert_eq!(read(followed_by(behind.clone())).expect_err("refused").field, field, "{behind}");
    }
}

#[test]
fn who_has_half_of_the_answer_is_told_the_messages_without_it() {
    let run = read(asked()).expect("a run");
    assert_eq!(run.messages_without("other"), None);
    let messages = |run: &RunRequest, answer| -> Value {
        serde_json::from_str(run.messages_without(answer).expect("messages").as_str()).expect("JSON")
    };
    let others = messages(&run, "3");
    let ids: Vec<_> = others.as_array().expect("a list").iter().map(|message| &message["id"]).collect();
    assert_eq!(ids, ["0", "1", "2", "4", "5"]);
    let run = read(followed_by(json!([
        {"id": "a-r0", "role": "reasoning", "content": "let me th"},
        {"id": "aa", "role": "assistant", "content": "other"},
    ])));
    let question = json!({"id": "1", "role": "user", "content": "hi"});
    let told = json!([question, {"id": "a-r0", "role": "reasoning", "content": ""}, {"id": "aa", "role": "assistant", "content": "other"}]);
    assert_eq!(messages(&run.expect("a run"), "a"), told, "thoughts are kept by the client unless they are told");
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
