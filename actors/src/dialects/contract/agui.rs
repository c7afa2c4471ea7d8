//! The rules of AG-UI, as its client's `verifyEvents` and `defaultApplyEvents` keep them.

use serde_json::{Value, json};

use super::{ANSWER, Answer, Dialect, promises};
use crate::dialects::AnswerEnd;
use crate::dialects::agui::{AguiFold, Run};

struct Agui;

impl Dialect for Agui {
    type Fold = AguiFold;

    fn fold() -> AguiFold {
        let [thread, run, answer, model] = ["thread1", "run1", ANSWER, "m"].map(str::to_owned);
        AguiFold::new(Run { thread, run, answer, model })
    }

    fn check(answer: &Answer, events: &[Value]) {
        let begun = json!({"type": "RUN_STARTED", "threadId": "thread1", "runId": "run1", "protocolVersion": "1.0"});
        assert_eq!(events[0], begun);
        let terminal = |event: &Value| ["RUN_FINISHED", "RUN_ERROR"].iter().any(|kind| event["type"] == *kind);
        assert_eq!(events.iter().position(terminal), Some(events.len() - 1), "one end, the last event");
        let mut read = Read::default();
        events[1..events.len() - 1].iter().for_each(|event| read.event(event));
        assert!(read.open.is_empty(), "closed: {:?}", read.open);
        let calls: Vec<String> = read.calls.iter().map(|(id, ..)| id.clone()).collect();
        answer.check_said(&read.text, read.calls.into_iter().map(|(_, name, arguments)| (name, arguments)).collect());
        check_end(answer, events.last().expect("an end"), &calls);
    }
}

/// What a client makes of the events.
#[derive(Default)]
struct Read {
    /// What is open, by kind and id.
    open: Vec<(&'static str, String)>,
    /// Of reasoning and calls, what was opened before.
    seen: Vec<String>,
    text: String,
    /// The calls as (id, tool, arguments).
    calls: Vec<(String, String, String)>,
}

impl Read {
    fn event(&mut self, event: &Value) {
        let said = |name: &str| event[name].as_str().unwrap_or_else(|| panic!("{name}: {event}")).to_owned();
        match event["type"].as_str().expect("a type") {
            "TEXT_MESSAGE_START" => {
                assert_eq!((said("messageId"), said("role")), (ANSWER.to_owned(), "assistant".to_owned()));
                self.begin("text", said("messageId"));
            }
            "TEXT_MESSAGE_CONTENT" => {
                self.goes_on("text", &said("messageId"));
                self.text += &said("delta");
            }
            "TEXT_MESSAGE_END" => self.close("text", said("messageId")),
            "REASONING_MESSAGE_START" => {
                assert!(!self.seen.contains(&said("messageId")), "a message of its own: {event}");
                assert_eq!(said("role"), "reasoning");
                self.seen.push(said("messageId"));
                self.begin("reasoning", said("messageId"));
            }
            "REASONING_MESSAGE_CONTENT" => self.goes_on("reasoning", &said("messageId")),
            "REASONING_MESSAGE_END" => self.close("reasoning", said("messageId")),
            "TOOL_CALL_START" => {
                assert_eq!(said("parentMessageId"), ANSWER);
                assert!(self.calls.iter().all(|(id, ..)| *id != said("toolCallId")), "another call: {event}");
                self.calls.push((said("toolCallId"), said("toolCallName"), String::new()));
                self.open.push(("call", said("toolCallId")));
            }
            "TOOL_CALL_ARGS" => {
                self.goes_on("call", &said("toolCallId"));
                let call = self.calls.iter_mut().find(|(id, ..)| *id == said("toolCallId"));
                call.expect("a call").2 += &said("delta");
            }
            "TOOL_CALL_END" => self.close("call", said("toolCallId")),
            other => panic!("no event of the protocol: {other}"),
        }
        assert_ne!(event["delta"], "", "a delta says something");
    }

    fn begin(&mut self, kind: &'static str, id: String) {
        assert!(self.open.iter().all(|(open, _)| *open == "call"), "one at a time: {id}, {:?}", self.open);
        self.open.push((kind, id));
    }

    fn goes_on(&self, kind: &str, id: &str) {
        assert!(self.open.iter().any(|open| (open.0, &*open.1) == (kind, id)), "{id} is open");
    }

    fn close(&mut self, kind: &'static str, id: String) {
        self.goes_on(kind, &id);
        self.open.retain(|open| *open != (kind, id.clone()));
    }
}

fn check_end(answer: &Answer, last: &Value, calls: &[String]) {
    let finished = |outcome: &str| {
        let ids = json!({"threadId": last["threadId"], "runId": last["runId"]});
        assert!(last["outcome"]["type"] != outcome || ids == json!({"threadId": "thread1", "runId": "run1"}));
        last["type"] == "RUN_FINISHED" && last["outcome"]["type"] == outcome
    };
    let pending: Vec<&str> =
        last["outcome"]["pendingToolCallIds"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let fits = match &answer.end {
        AnswerEnd::Complete { .. } if answer.finish_reason().is_some() => finished("success") && pending == calls,
        AnswerEnd::Complete { .. } => last["code"] == "ai_unavailable",
        AnswerEnd::Failed { code, reason } => {
            *last == json!({"type": "RUN_ERROR", "message": reason, "code": code.as_str()})
        }
        AnswerEnd::Cancelled | AnswerEnd::Steered => finished("cancelled") && pending.is_empty(),
    };
    assert!(fits, "{:?} is told as {last}", answer.end);
}

promises!(Agui, "dialect_agui");
