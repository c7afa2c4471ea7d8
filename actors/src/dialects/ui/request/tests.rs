//! What `useChat` posts.

use serde_json::json;

use super::*;

fn user(id: &str, text: &str) -> Value {
    json!({"id": id, "role": "user", "parts": [{"type": "text", "text": text}]})
}

fn read_it(body: &Value) -> Result<UiRequest, BadRequest> {
    let body = Body::parse(&body.to_string().into()).expect("an object");
    UiRequest::read(&body, &body)
}

fn read(body: Value) -> UiRequest {
    read_it(&body).unwrap_or_else(|bad| panic!("{bad}: {body}"))
}

#[test]
fn the_last_message_of_the_user_is_the_question() {
    let answer =
        json!({"id": "a", "role": "assistant", "parts": [{"type": "step-start"}, {"type": "text", "text": "yes"}]});
    let asked = read(
        json!({"id": "chat-1", "trigger": "submit-message", "messages": [user("1", "hi"), answer, user("2", "and?")]}),
    );
    assert_eq!((asked.chat.as_str(), &asked.wish, &*asked.question.id), ("chat-1", &Wish::Answer, "2"));
    assert_eq!(asked.question.text(), "and?");
    assert_eq!(asked.earlier, [ChatMessage::says("user", "hi"), ChatMessage::says("assistant", "yes")]);
    let alone = read(json!({"id": "c", "trigger": "submit-message", "message": user("3", "hi")}));
    assert_eq!((alone.question.id.as_str(), alone.earlier.len()), ("3", 0));
}

#[test]
fn another_answer_is_asked_for_in_place_of_the_last_one() {
    let asked = json!({"id": "c", "trigger": "regenerate-message", "messageId": "a", "messages": [user("1", "hi")]});
    assert_eq!(read(asked).wish, Wish::Again { message: Some("a".to_owned()) });
}

#[test]
fn results_of_tools_let_the_answer_go_on_each_of_them_once() {
    let tool = |kind: &str, call: &str, state: &str, more: Value| {
        let mut part = json!({"type": kind, "toolCallId": call, "state": state, "input": {}});
        for (name, value) in more.as_object().expect("fields") {
            part[name] = value.clone();
        }
        part
    };
    let answer = json!({"id": "a", "role": "assistant", "parts": [
        {"type": "text", "text": "wait"},
        tool("tool-f", "x", "output-available", json!({"output": {"t": 1}})),
        tool("dynamic-tool", "y", "output-error", json!({"errorText": "away"})),
        tool("tool-f", "x", "output-available", json!({"output": "again"})),
        tool("tool-g", "z", "input-available", json!({})),
        tool("tool-g", "p", "output-available", json!({"output": 1, "preliminary": true})),
    ]});
    let asked = read(json!({"id": "c", "trigger": "submit-message", "messages": [user("1", "hi"), answer]}));
    let Wish::GoOn { message, outputs, told } = asked.wish else { panic!("{:?}", asked.wish) };
    assert_eq!((&*message, &*asked.question.id), ("a", "1"));
    let texts: Vec<_> = outputs.iter().map(|output| (&*output.call, output.result.to_text())).collect();
    assert_eq!(texts, [("x", r#"{"t":1}"#.to_owned()), ("y", "away".to_owned())]);
    assert_eq!(told[0].tool_calls.len(), 3, "as the client says, which repeats itself here");
}

#[test]
fn what_the_client_tells_of_its_steps_is_what_a_backend_reads() {
    let call = |id: &str, output: &str| json!({"type": "tool-f", "toolCallId": id, "state": "output-available", "input": {"a": id}, "output": output});
    let answer = json!({"id": "a", "role": "assistant", "parts": [
        {"type": "step-start"}, {"type": "text", "text": "wait"}, call("x", "1"),
        {"type": "step-start"}, call("y", "2"),
    ]});
    let asked = read(json!({"id": "c", "trigger": "submit-message", "messages": [user("1", "hi"), answer]}));
    let Wish::GoOn { told, .. } = asked.wish else { panic!("{:?}", asked.wish) };
    let asks = |id: &str| json!([{"id": id, "type": "function", "function": {"name": "f", "arguments": format!(r#"{{"a":"{id}"}}"#)}}]);
    assert_eq!(
        json!(told),
        json!([
            {"role": "assistant", "content": "wait", "tool_calls": asks("x")},
            {"role": "tool", "content": "1", "tool_call_id": "x"},
            {"role": "assistant", "content": null, "tool_calls": asks("y")},
            {"role": "tool", "content": "2", "tool_call_id": "y"},
        ])
    );
}

#[test]
fn tools_are_passed_on_as_they_were_written() {
    let body = r#"{"id":"c","trigger":"submit-message","message":{"id":"1","role":"user","parts":[{"type":"text","text":"hi"}]}}"#;
    let asked = |tools: &str| {
        let body = Body::parse(&body.into()).expect("an object");
        UiRequest::read(&body, &Body::parse(&format!(r#"{{"tools":{tools}}}"#).into()).expect("an object"))
    };
    let tool = r#"{"type":"function","function":{"name":"f","parameters":{"b":1,"a":2}}}"#;
    assert_eq!(asked(&format!("[{tool}]")).expect("a request").tools, [tool]);
    assert_eq!(asked("null").expect("a request").tools.len(), 0);
    for (tools, field) in
        [("{}", "tools"), (r#"[{"type":"function"}]"#, "tools[0]"), (r#"[{"type":"web"}]"#, "tools[0]")]
    {
        assert_eq!(asked(tools).expect_err("refused").field, field);
    }
}

#[test]
fn files_are_shown_where_a_backend_can_see_them() {
    let file = |media: &str, url: &str| json!({"type": "file", "mediaType": media, "url": url, "filename": "n"});
    let asked = |file: Value| {
        let message = json!({"id": "1", "role": "user", "parts": [{"type": "text", "text": "see"}, file, {"type": "data-x", "data": 1}]});
        read_it(&json!({"id": "c", "trigger": "submit-message", "messages": [message]}))
    };
    let content = |file: Value| json!(asked(file).expect("a request").question.to_chat())["content"][1].clone();
    assert_eq!(
        content(file("image/png", "data:image/png;base64,AA==")),
        json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}})
    );
    let pdf = json!({"type": "file", "file": {"filename": "n", "file_data": "data:application/pdf;base64,AA=="}});
    assert_eq!(content(file("application/pdf", "data:application/pdf;base64,AA==")), pdf);
    for media in ["application/pdf", "image/png"] {
        let bad = asked(file(media, "https://x/y")).expect_err("refused");
        assert_eq!(bad.field, "messages[0].parts[1].url", "{media}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let with = |name: &str, value: Value| {
        let mut body = json!({"id": "c", "trigger": "submit-message", "messages": [user("1", "hi")]});
        body[name] = value;
        body
    };
    let answer = json!({"id": "a", "role": "assistant", "parts": []});
    for (body, field) in [
        (json!({}), "id"),
        (with("id", json!("a/b")), "id"),
        (with("messages", json!(null)), "messages"),
        (with("messages", json!("hi")), "messages"),
        (with("messages", json!([])), "messages"),
        (with("messages", json!([{"role": "user", "parts": []}])), "messages[0].id"),
        (with("messages", json!([{"id": "1", "role": "user"}])), "messages[0].parts"),
        (with("messages", json!([user("1", " ")])), "messages[0].parts"),
        (with("messages", json!([user("1", "hi"), answer])), "messages[1]"),
        (with("trigger", json!("now")), "trigger"),
        (with("trigger", json!(null)), "trigger"),
    ] {
        assert_eq!(read_it(&body).expect_err("refused").field, field, "{body}");
    }
}
