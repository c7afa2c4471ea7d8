//! What `useChat` posts.

use serde_json::json;

use super::*;

fn user(id: &str, text: &str) -> Value {
    json!({"id": id, "role": "user", "parts": [{"type": "text", "text": text}]})
}

fn read(body: Value) -> UiRequest {
    UiRequest::read(&body).unwrap_or_else(|bad| panic!("{bad}: {body}"))
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
    let output = |call: &str, output: &str| ToolOutput { call: call.to_owned(), output: output.to_owned() };
    let outputs = vec![output("x", r#"{"t":1}"#), output("y", "away")];
    assert_eq!(asked.wish, Wish::GoOn { message: "a".to_owned(), outputs });
    assert_eq!(asked.question.id, "1");
}

#[test]
fn files_are_shown_where_a_backend_can_see_them() {
    let file = |media: &str, url: &str| json!({"type": "file", "mediaType": media, "url": url, "filename": "n"});
    let asked = |file: Value| {
        let message = json!({"id": "1", "role": "user", "parts": [{"type": "text", "text": "see"}, file, {"type": "data-x", "data": 1}]});
        UiRequest::read(&json!({"id": "c", "trigger": "submit-message", "messages": [message]}))
    };
    let content = |file: Value| json!(asked(file).expect("a request").question.to_chat())["content"][1].clone();
    assert_eq!(
        content(file("image/png", "https://x/y")),
        json!({"type": "image_url", "image_url": {"url": "https://x/y"}})
    );
    let pdf = json!({"type": "file", "file": {"filename": "n", "file_data": "data:application/pdf;base64,AA=="}});
    assert_eq!(content(file("application/pdf", "data:application/pdf;base64,AA==")), pdf);
    let bad = asked(file("application/pdf", "https://x/y")).expect_err("refused");
    assert_eq!(bad.field, "messages[0].parts[1].url");
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
        (json!([]), "id"),
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
        assert_eq!(UiRequest::read(&body).expect_err("refused").field, field, "{body}");
    }
}
