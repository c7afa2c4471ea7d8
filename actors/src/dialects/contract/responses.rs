//! The rules of Responses, as the official SDKs keep them when they put a response together.

use serde_json::{Value, json};

use super::{ANSWER, Answer, Dialect, promises};
use crate::dialects::AnswerEnd;
use crate::dialects::responses::{Echo, Head, Response, ResponseFold};
use crate::openai::Body;
use crate::protocol::ErrorCode;

struct Responses;

fn head() -> Head {
    let asked = r#"{"model":"m","input":"hi","metadata":{"k":"v"}}"#;
    let echo = Echo::of(&Body::parse(&asked.into()).expect("a body"));
    Head { answer: ANSWER.to_owned(), created_at: 1_795_747_200, model: "m".to_owned(), echo }
}

impl Dialect for Responses {
    type Fold = ResponseFold;

    fn fold() -> ResponseFold {
        ResponseFold::new(head())
    }

    fn check(answer: &Answer, events: &[Value]) {
        for (number, event) in (0..).zip(events) {
            assert_eq!(event["sequence_number"], json!(number), "numbers without a gap: {event}");
        }
        let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().expect("a type")).collect();
        assert_eq!(kinds[..2], ["response.created", "response.in_progress"]);
        let terminal = |kind: &&str| ["response.completed", "response.incomplete", "response.failed"].contains(kind);
        assert_eq!(kinds.iter().position(terminal), Some(events.len() - 1), "one end, the last event");
        let last = &events[events.len() - 1]["response"];
        let mut read = Read::default();
        events[2..events.len() - 1].iter().for_each(|event| read.event(event));
        check_end(answer, events, last);
        read.check_output(last, answer.finish_reason().is_some());
        let retrieved = Response::of(head(), &answer.read_again(), Some(&answer.end));
        assert_eq!(serde_json::to_value(retrieved).expect("JSON"), *last, "it is retrieved as it was told");
        check_so_far(answer, &read);
        answer.check_said(&read.shown(), read.calls());
    }
}

/// What a client makes of the events.
#[derive(Default)]
struct Read {
    /// The items, their texts as they grew.
    items: Vec<(Value, String)>,
    done: Vec<Option<Value>>,
}

impl Read {
    fn event(&mut self, event: &Value) {
        let kind = event["type"].as_str().expect("a type");
        let at = usize::try_from(event["output_index"].as_u64().expect("an index")).expect("small");
        if kind == "response.output_item.added" {
            assert_eq!(at, self.items.len(), "items are counted from 0: {event}");
            self.items.push((event["item"].clone(), String::new()));
            self.done.push(None);
            return;
        }
        assert!(self.done[at].is_none(), "not done: {event}");
        let (item, text) = &mut self.items[at];
        let named = if kind == "response.output_item.done" { &event["item"]["id"] } else { &event["item_id"] };
        assert_eq!(*named, item["id"], "{event}");
        let within = ["content_index", "summary_index"].map(|name| event[name].as_u64().unwrap_or(0));
        assert_eq!(within, [0, 0], "each item has one part");
        let whole = match kind.strip_prefix("response.").expect("an event of a response") {
            "content_part.added" | "reasoning_summary_part.added" => Some(text_of(&event["part"])),
            "content_part.done" | "reasoning_summary_part.done" => Some(text_of(&event["part"])),
            "output_text.done" | "reasoning_summary_text.done" => event["text"].as_str(),
            "refusal.done" => event["refusal"].as_str(),
            "function_call_arguments.done" => event["arguments"].as_str(),
            "output_item.done" => {
                self.done[at] = Some(event["item"].clone());
                return;
            }
            "output_text.delta"
            | "refusal.delta"
            | "reasoning_summary_text.delta"
            | "function_call_arguments.delta" => {
                let delta = event["delta"].as_str().expect("a text");
                assert_ne!(delta, "");
                text.push_str(delta);
                return;
            }
            other => panic!("no event of the protocol: {other}"),
        };
        assert_eq!(whole, Some(&**text), "{event}");
    }

    /// The last event says what the others said, and every item is done, but for calls that are not to be carried out.
    fn check_output(&self, response: &Value, is_finished: bool) {
        let output = response["output"].as_array().expect("a list");
        assert_eq!(output.len(), self.items.len());
        for (at, item) in output.iter().enumerate() {
            let ((told, text), done) = (&self.items[at], &self.done[at]);
            assert_eq!((&item["id"], &item["type"]), (&told["id"], &told["type"]));
            assert_eq!(text_of_item(item), *text);
            let is_lost = item["type"] == "function_call" && !is_finished;
            assert_eq!(done.is_none(), is_lost, "a call is carried out if its answer is whole: {item}");
            match done {
                Some(done) => assert_eq!(done, item),
                None => assert_eq!(item["status"], "incomplete"),
            }
        }
    }

    fn shown(&self) -> String {
        self.items.iter().filter(|(item, _)| item["type"] == "message").map(|(_, text)| &**text).collect()
    }

    fn calls(&self) -> Vec<(String, String)> {
        let calls = self.items.iter().filter(|(item, _)| item["type"] == "function_call");
        calls.map(|(item, text)| (item["name"].as_str().expect("a name").to_owned(), text.clone())).collect()
    }
}

fn text_of(part: &Value) -> &str {
    part["text"].as_str().or(part["refusal"].as_str()).expect("a text")
}

fn text_of_item(item: &Value) -> String {
    match item["type"].as_str().expect("a type") {
        "reasoning" => text_of(&item["summary"][0]).to_owned(),
        "message" => text_of(&item["content"][0]).to_owned(),
        _ => item["arguments"].as_str().expect("a text").to_owned(),
    }
}

/// Before its end it is retrieved as far as it has come.
fn check_so_far(answer: &Answer, read: &Read) {
    let so_far = serde_json::to_value(Response::of(head(), &answer.chunks, None)).expect("JSON");
    assert_eq!((&so_far["status"], &so_far["usage"]), (&json!("in_progress"), &Value::Null));
    for (item, (told, text)) in so_far["output"].as_array().expect("a list").iter().zip(&read.items) {
        assert_eq!((&item["id"], text_of_item(item)), (&told["id"], text.clone()));
    }
}

fn check_end(answer: &Answer, events: &[Value], last: &Value) {
    let of_response = events.iter().filter(|event| event.get("response").is_some());
    assert!(of_response.map(|event| &event["response"]["id"]).all(|id| *id == format!("resp_{ANSWER}")));
    let kind = events[events.len() - 1]["type"].as_str().expect("a type");
    let told = (kind, last["status"].as_str().expect("a status"), last["incomplete_details"]["reason"].as_str());
    let incomplete = |reason| ("response.incomplete", "incomplete", Some(reason));
    let expected = match (&answer.end, answer.finish_reason()) {
        (_, Some("length")) => incomplete("max_output_tokens"),
        (_, Some("content_filter")) => incomplete("content_filter"),
        (_, Some(_)) => ("response.completed", "completed", None),
        (AnswerEnd::Steered, _) => incomplete("steered"),
        (AnswerEnd::Cancelled, _) => ("response.incomplete", "cancelled", None),
        _ => ("response.failed", "failed", None),
    };
    assert_eq!(told, expected, "{:?}", answer.end);
    if let AnswerEnd::Failed { code, reason } = &answer.end {
        let code = if *code == ErrorCode::Interrupted { "interrupted" } else { "server_error" };
        assert_eq!(last["error"], json!({"code": code, "message": reason}));
    }
}

promises!(Responses, "dialect_responses");
