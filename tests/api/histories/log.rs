//! What the log holds, and what nodes show of it.

use std::collections::VecDeque;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::TestSocket;

/// An event of the log.
#[derive(Debug)]
pub struct Entry {
    pub seq: u64,
    pub text: String,
    /// Of a message its id, of an end the id of what it answers.
    message: String,
}

impl Entry {
    pub fn is_question(&self) -> bool {
        self.text.starts_with('q')
    }
}

/// How often a question was answered.
pub fn ends_of(log: &[Entry], question: &Entry) -> usize {
    log.iter().filter(|entry| entry.seq != question.seq && entry.message == question.message).count()
}

/// What a node shows as being written.
pub async fn written(node: SocketAddr, group: &str) -> Vec<Value> {
    let mut reader = TestSocket::open(node, "reader", "").await;
    let join = reader.insist_on("join", json!({"type": "group.join", "group": group})).await;
    assert_eq!(join["type"], "ack", "{join}");
    let mut ready = TestSocket::open(node, "reader", "").await.ready;
    let mut all = ready["answers"].as_array_mut().map(std::mem::take).expect("answers");
    all.retain(|answer| answer["group"] == *group);
    all
}

/// The whole log, as a session that joins reads it.
pub async fn read_log(node: SocketAddr, group: &str) -> Vec<Entry> {
    let mut reader = TestSocket::open(node, "reader", "").await;
    reader.insist_on("join", json!({"type": "group.join", "group": group})).await;
    let (mut log, mut before) = (VecDeque::new(), Value::Null);
    loop {
        let mut get = json!({"type": "history.get", "group": group, "limit": 100});
        if !before.is_null() {
            get["before"] = before.clone();
        }
        let page = reader.insist_on("page", get).await;
        for event in page["events"].as_array().expect("events").iter().rev() {
            let message = event["message"]["id"].as_str().or(event["message"].as_str()).expect("a message").to_owned();
            log.push_front(Entry { seq: event["seq"].as_u64().expect("a seq"), text: shown(event), message });
        }
        if page["more"] != true {
            return log.into();
        }
        before = page["events"][0]["seq"].clone();
    }
}

/// What stands for an event: the text of a message, or the answer that ends.
pub fn shown(event: &Value) -> String {
    let text = event["message"]["text"].as_str();
    text.map_or_else(|| end_of(event["answer"].as_str().expect("an answer")), str::to_owned)
}

pub fn end_of(answer: &str) -> String {
    format!("end of {answer}")
}
