//! The main job: a question, its streamed answer, everybody in the session sees it.

use serde_json::json;
use sophie_kit::ai_server::Script;

use crate::support::{Mode, start_with_ai};

in_both_modes!(a_question_is_acknowledged_logged_and_answered_word_by_word_at_every_socket);

async fn a_question_is_acknowledged_logged_and_answered_word_by_word_at_every_socket(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut sockets = [app.open("s1").await, app.open("s1").await];
    let ack = sockets[0].ask("q1", json!({"type": "message.send", "text": "Hello"})).await;
    assert_eq!((&ack["type"], &ack["seq"]), (&json!("ack"), &json!(1)));
    for socket in &mut sockets {
        let message = socket.event_of("message").await;
        assert_eq!(message["message"]["id"], ack["message"]);
        let start = socket.event_of("answer.start").await;
        assert_eq!(start["message"], ack["message"]);
    }
    let mut text = String::new();
    for word in ["Hello, ", "and ", "märchenhaft ", "good ", "day ", "to ", "you."] {
        // Not before the one before was told: on a slow machine those that wait come as one.
        gate.word(word);
        for socket in &mut sockets {
            let delta = socket.event().await;
            let told = (&delta["type"], &delta["offset"], &delta["text"]);
            assert_eq!(told, (&json!("answer.delta"), &json!(text.chars().count()), &json!(word)));
        }
        text += word;
    }
    gate.finish();
    for socket in &mut sockets {
        let end = socket.event().await;
        assert_eq!((&end["type"], &end["text"], &end["seq"]), (&json!("answer.end"), &json!(text), &json!(2)));
    }
}
