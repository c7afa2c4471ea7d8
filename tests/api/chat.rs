//! The main job: a question, its streamed answer, everybody in the session sees it.

use serde_json::json;

use crate::support::{Mode, TestApp};

in_both_modes!(a_question_is_acknowledged_logged_and_answered_word_by_word_at_every_socket);

async fn a_question_is_acknowledged_logged_and_answered_word_by_word_at_every_socket(mode: Mode) {
    let app = TestApp::start(mode, &[]).await;
    let (mut asker, mut watcher) = (app.open("s1").await, app.open("s1").await);
    let ack = asker.ask("q1", json!({"type": "message.send", "text": "Hello"})).await;
    assert_eq!((&ack["type"], &ack["seq"]), (&json!("ack"), &json!(1)));
    for socket in [&mut asker, &mut watcher] {
        let message = socket.event_of("message").await;
        assert_eq!(message["message"]["id"], ack["message"]);
        let start = socket.event_of("answer.start").await;
        assert_eq!(start["message"], ack["message"]);
        let (mut text, mut deltas) = (String::new(), 0);
        let end = loop {
            let event = socket.event().await;
            if event["type"] == "answer.end" {
                break event;
            }
            assert_eq!(event["type"], "answer.delta");
            assert_eq!(event["offset"], text.chars().count());
            text += event["text"].as_str().expect("text");
            deltas += 1;
        };
        assert_eq!((end["text"].as_str(), end["seq"].as_u64()), (Some(text.as_str()), Some(2)));
        assert!(deltas > 5, "the answer came in {deltas} pieces");
    }
}
