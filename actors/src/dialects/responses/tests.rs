//! Responses as events and whole.

use serde_json::{Value, json};

use super::*;
use crate::dialects::PartKind;
use crate::openai::{Body, Parsed};

fn head(asked: Value) -> Head {
    let echo = Echo::of(&Body::parse(&asked.to_string().into()).expect("a body"));
    Head { answer: "a".to_owned(), created_at: 7, model: "m".to_owned(), echo }
}

fn chunk(delta: Value) -> Chunk {
    match Chunk::parse(json!({"choices": [{"index": 0, "delta": delta}]}).to_string().into()) {
        Ok(Parsed::Chunk(chunk)) => chunk,
        other => panic!("not a chunk: {other:?}"),
    }
}

fn written(events: &[ResponseEvent]) -> Vec<Value> {
    events.iter().map(|event| serde_json::to_value(event).expect("JSON")).collect()
}

#[test]
fn one_in_the_background_is_queued_first() {
    let asked = json!({"background": true});
    let begun = ResponseFold::new(head(asked.clone())).begin();
    let told: Vec<_> =
        written(&begun).iter().map(|it| (it["type"].clone(), it["response"]["status"].clone())).collect();
    let expected = [
        (json!("response.created"), json!("queued")),
        (json!("response.queued"), json!("queued")),
        (json!("response.in_progress"), json!("in_progress")),
    ];
    assert_eq!(told, expected);
    let status = |chunks: &[Chunk]| Response::of(head(asked.clone()), chunks, None).status;
    assert_eq!((status(&[]), status(&[chunk(json!({"content": "x"}))])), (Status::Queued, Status::InProgress));
}

#[test]
fn a_text_is_told_in_the_order_that_the_sdks_want() {
    let mut fold = ResponseFold::new(head(json!({})));
    let mut events = fold.begin();
    events.extend(fold.chunk(&chunk(json!({"content": "hi"}))));
    events.extend(fold.end(&AnswerEnd::Complete { finish_reason: "stop".to_owned(), usage: None }));
    let kinds: Vec<_> = events.iter().map(|event| event.kind.trim_start_matches("response.")).collect();
    let expected = [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ];
    assert_eq!(kinds, expected);
    let delta = json!({"type": "response.output_text.delta", "sequence_number": 4, "item_id": "msg_a_0", "output_index": 0,
        "content_index": 0, "delta": "hi", "logprobs": []});
    assert_eq!(written(&events)[4], delta);
    let item = json!({"type": "message", "id": "msg_a_0", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}]});
    assert_eq!(written(&events)[7]["item"], item);
}

#[test]
fn an_item_names_its_answer() {
    let kinds = [PartKind::Text, PartKind::Reasoning, PartKind::Call { id: "c".to_owned(), name: "f".to_owned() }];
    assert!(kinds.iter().all(|kind| Item::answer_of(&Item::id("an_answer", 12, kind)) == Some("an_answer")));
    assert_eq!((Item::answer_of("msg_x"), Item::answer_of("call_a_1")), (None, None));
}

#[test]
fn a_call_is_done_only_where_the_answer_came_to_its_end() {
    let call = json!({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]});
    let end = |end: AnswerEnd| {
        let mut fold = ResponseFold::new(head(json!({})));
        fold.begin();
        fold.chunk(&chunk(call.clone()));
        let events = fold.end(&end);
        (events.iter().any(|event| event.kind == "response.output_item.done"), written(&events).pop().expect("an end"))
    };
    let (done, last) = end(AnswerEnd::Complete { finish_reason: "tool_calls".to_owned(), usage: None });
    let item = json!({"type": "function_call", "id": "fc_a_0", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"});
    assert_eq!((done, &last["response"]["output"][0]), (true, &item));
    let (done, last) = end(AnswerEnd::Cancelled);
    assert_eq!((done, &last["response"]["output"][0]["status"]), (false, &json!("incomplete")));
}
