//! Answers that are too long to be shown at once: who connects or joins gets the rest as it reads.

use std::collections::HashMap;

use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Gate, Script};

use crate::support::{Mode, TestApp, TestSocket, start_with_ai};

in_both_modes!(who_connects_gets_long_answers_in_pieces, who_joins_gets_long_answers_in_pieces);

/// Two of these are more than one event may hold.
const BYTES: usize = 200_000;
const AT_ONCE: usize = 256 * 1024;

/// Asks, and waits until so much of the answer was shown.
async fn begin(ai: &AiServer, socket: &mut TestSocket, group: &str, letter: &str) -> Gate {
    let (script, gate) = Script::gated();
    ai.push(script);
    gate.word(&letter.repeat(BYTES / letter.len()));
    let asked = json!({"type": "message.send", "group": group, "text": format!("write {letter}")});
    assert_eq!(socket.ask(letter, asked).await["type"], "ack");
    let mut bytes = 0;
    while bytes < BYTES {
        bytes += socket.event_of("answer.delta").await["text"].as_str().expect("text").len();
    }
    gate
}

/// Reads deltas of an answer, in order and without a hole, until it has so many bytes.
async fn read(socket: &mut TestSocket, answer: &Value, mut text: String, bytes: usize) -> String {
    while text.len() < bytes {
        let delta = socket.event_of("answer.delta").await;
        if delta["answer"] == *answer {
            assert_eq!(delta["offset"], text.chars().count());
            text += delta["text"].as_str().expect("text");
        }
    }
    assert_eq!(text.len(), bytes);
    text
}

async fn start(mode: Mode) -> (AiServer, TestApp, TestSocket) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let mut asks = app.open("asks").await;
    assert_eq!(asks.ask("j", json!({"type": "group.join", "group": "team"})).await["type"], "ack");
    (ai, app, asks)
}

async fn who_connects_gets_long_answers_in_pieces(mode: Mode) {
    let (ai, app, mut asks) = start(mode).await;
    let gates = [begin(&ai, &mut asks, "team", "ä").await, begin(&ai, &mut asks, "chat_asks", "b").await];
    let mut late = app.open("asks").await;
    let answers = late.ready["answers"].as_array().expect("a list").clone();
    let length = |answer: &Value| answer["text"].as_str().expect("text").len();
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().map(length).sum::<usize>() <= AT_ONCE, "one event holds so much");
    let owed = answers.iter().find(|answer| length(answer) == 0).expect("one did not fit");
    assert_eq!(owed["offset"], 0);
    let text = read(&mut late, &owed["answer"], String::new(), BYTES).await;
    // What is written from now on follows what was owed.
    gates.iter().for_each(|gate| gate.word("more"));
    let text = read(&mut late, &owed["answer"], text, BYTES + 4).await;
    gates.into_iter().for_each(Gate::finish);
    loop {
        let end = late.event_of("answer.end").await;
        if end["answer"] == owed["answer"] {
            assert_eq!(end["text"], text);
            break;
        }
    }
}

async fn who_joins_gets_long_answers_in_pieces(mode: Mode) {
    let (ai, app, mut asks) = start(mode).await;
    let mut gates = vec![begin(&ai, &mut asks, "team", "ä").await, begin(&ai, &mut asks, "team", "b").await];
    let mut late = app.open("late").await;
    late.send(json!({"type": "group.join", "group": "team", "id": "j"})).await;
    assert_eq!(late.event().await["type"], "ack", "before anything of the group");
    let mut texts = HashMap::<String, String>::new();
    let (mut starts, mut first, mut ends) = (0, 0, 0);
    while ends < 2 {
        let event = late.event().await;
        let text = texts.entry(event["answer"].as_str().unwrap_or_default().to_owned()).or_default();
        match event["type"].as_str() {
            Some("answer.start") => {
                starts += 1;
                if starts == 2 {
                    // Whatever is behind, both end with all of their text.
                    gates.drain(..).for_each(Gate::finish);
                }
            }
            Some("answer.delta") => {
                assert_eq!(event["offset"], text.chars().count());
                let more = event["text"].as_str().expect("text");
                first += if starts < 2 { more.len() } else { 0 };
                text.push_str(more);
            }
            Some("answer.end") => {
                assert_eq!((event["text"].as_str(), text.len()), (Some(text.as_str()), BYTES));
                ends += 1;
            }
            _ => {}
        }
    }
    assert!(first <= AT_ONCE, "{first}");
}
