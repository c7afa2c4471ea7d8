//! The rules of the AI SDK's UI message streams, as its client keeps them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{ANSWER, Answer, Dialect, promises};
use crate::dialects::AnswerEnd;
use crate::dialects::ui::UiFold;
use crate::protocol::{CacheStatus, ErrorCode};

struct Ui;

impl Dialect for Ui {
    type Fold = UiFold;

    fn fold() -> UiFold {
        UiFold::new(ANSWER, Some(CacheStatus::Miss))
    }

    fn check(answer: &Answer, events: &[Value]) {
        assert_eq!(events[..2], [json!({"type": "start", "messageId": ANSWER}), json!({"type": "start-step"})]);
        let terminal = |event: &Value| ["finish", "error", "abort"].iter().any(|kind| event["type"] == *kind);
        assert_eq!(events.iter().position(terminal), Some(events.len() - 1), "one end, the last event");
        let mut read = Read::default();
        events[2..].iter().for_each(|event| read.event(event));
        assert!(read.open.is_empty(), "closed: {:?}", read.open);
        let inputs = if answer.finish_reason().is_some() { read.calls.len() } else { 0 };
        assert_eq!(read.settled.len(), inputs, "a call is carried out if its answer is whole");
        answer.check_said(&read.shown, read.calls);
        check_end(answer, events);
    }
}

/// What a client makes of the events.
#[derive(Default)]
struct Read {
    open: Vec<String>,
    seen: Vec<String>,
    /// Text and refusal.
    shown: String,
    /// The calls as (tool, arguments), in the order in which they began.
    calls: Vec<(String, String)>,
    /// Their places there, by id.
    ids: BTreeMap<String, usize>,
    /// Those that have their input, or an error.
    settled: Vec<String>,
}

impl Read {
    fn event(&mut self, event: &Value) {
        let kind = event["type"].as_str().expect("a type");
        let id = || event["id"].as_str().or(event["toolCallId"].as_str()).expect("an id").to_owned();
        match kind {
            "text-start" | "reasoning-start" => {
                assert!(!self.seen.contains(&id()), "begun twice: {event}");
                assert!(self.open.is_empty(), "one at a time: {event}");
                self.seen.push(id());
                self.open.push(id());
            }
            "text-delta" | "reasoning-delta" => {
                assert!(self.open.contains(&id()), "not open: {event}");
                let delta = event["delta"].as_str().expect("a text");
                assert_ne!(delta, "");
                if kind == "text-delta" {
                    self.shown += delta;
                }
            }
            "text-end" | "reasoning-end" => {
                assert!(self.open.contains(&id()), "not open: {event}");
                self.open.retain(|open| *open != id());
            }
            "tool-input-start" => {
                assert!(self.open.is_empty(), "text goes on: {event}");
                let name = event["toolName"].as_str().expect("a name");
                assert_eq!(self.ids.insert(id(), self.calls.len()), None, "begun twice: {event}");
                self.calls.push((name.to_owned(), String::new()));
            }
            "tool-input-delta" => {
                self.calls[self.ids[&id()]].1 += event["inputTextDelta"].as_str().expect("a text");
            }
            "tool-input-available" | "tool-input-error" => {
                assert!(self.ids.contains_key(&id()) && !self.settled.contains(&id()), "once: {event}");
                self.settled.push(id());
            }
            "finish-step" | "finish" | "error" | "abort" => {}
            other => panic!("no chunk of the protocol: {other}"),
        }
    }
}

fn check_end(answer: &Answer, events: &[Value]) {
    let last = events.last().expect("an end");
    let finished = |reason: &str| last["type"] == "finish" && last["finishReason"] == reason;
    let fits = match &answer.end {
        AnswerEnd::Complete { .. } => match answer.finish_reason() {
            Some("content_filter") => finished("content-filter"),
            Some("tool_calls") => finished("tool-calls"),
            Some("tea_time") => finished("other"),
            Some(reason) => finished(reason),
            None => last["type"] == "error",
        },
        AnswerEnd::Failed { code: ErrorCode::Interrupted, .. } => finished("interrupted"),
        AnswerEnd::Failed { reason, .. } => *last == json!({"type": "error", "errorText": reason}),
        AnswerEnd::Cancelled => *last == json!({"type": "abort", "reason": "cancelled"}),
        AnswerEnd::Steered => finished("other"),
    };
    assert!(fits, "{:?} is told as {last}", answer.end);
    if last["type"] == "finish" {
        assert_eq!(events[events.len() - 2], json!({"type": "finish-step"}));
        assert_eq!(last["messageMetadata"]["cache"], "miss");
    }
}

promises!(Ui, "dialect_ui");
