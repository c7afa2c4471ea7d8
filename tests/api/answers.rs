//! Answers: how they are told, cancelled, asked for again, shared, and how they fail.

use std::time::Duration;

use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Gate, Script};

use crate::support::{Answer, Mode, SOON, TestApp, TestSocket, eventually, start_with_ai};

/// For what takes the server a few seconds by its settings.
const LATER: Duration = Duration::from_secs(20);

fn question(text: &str) -> Value {
    json!({"type": "message.send", "text": text})
}

/// Asks, and waits for the answer's start.
async fn start(socket: &mut TestSocket, id: &str, text: &str) -> Value {
    let ack = socket.ask(id, question(text)).await;
    assert_eq!(ack["type"], "ack", "{ack}");
    let start = socket.event_of("answer.start").await;
    assert_eq!(start["message"], ack["message"]);
    start
}

async fn join(socket: &mut TestSocket, group: &str) {
    assert_eq!(socket.ask("join", json!({"type": "group.join", "group": group})).await["type"], "ack");
    socket.settled().await;
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["type"].as_str()).collect()
}

in_both_modes!(
    an_answer_is_told_from_its_start_to_its_end,
    offsets_count_unicode_scalar_values,
    a_client_that_comes_back_reads_on_where_the_answer_stands,
    any_member_may_cancel_an_answer_and_nobody_else,
    a_retry_asks_past_the_cache,
    a_first_question_is_answered_from_the_cache_in_another_session,
    equal_questions_at_once_are_asked_once,
    cancelling_a_shared_answer_leaves_the_others,
    a_session_may_have_two_answers_under_way,
    a_client_that_leaves_does_not_stop_its_answer,
    an_answer_that_nobody_listens_to_is_dropped,
    an_answer_of_a_group_goes_to_its_members,
    a_failure_is_told_after_the_start_by_its_code,
);

async fn an_answer_is_told_from_its_start_to_its_end(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[("SOPHIE__AI__MODEL", "a-model")]).await;
    let mut socket = app.open("s1").await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let command = json!({"type": "message.send", "id": "1", "text": "why?"});
    socket.send(command).await;
    let ack = socket.event().await;
    assert_eq!((&ack["type"], &ack["id"], &ack["seq"]), (&json!("ack"), &json!("1"), &json!(1)));
    assert_eq!(socket.event().await["type"], "message");
    // Before the backend has said a word.
    let started = socket.event().await;
    let expected = json!({"type": "answer.start", "group": "chat_s1", "answer": started["answer"], "message": ack["message"],
        "model": "a-model", "cache": "miss"});
    assert_eq!(started, expected);
    gate.word("Because ");
    let delta = socket.event().await;
    let expected = json!({"type": "answer.delta", "group": "chat_s1", "answer": started["answer"], "offset": 0, "text": "Because "});
    assert_eq!(delta, expected);
    gate.word("of that.");
    gate.finish();
    let answer = Answer::rest(&mut socket, started, "Because ".into()).await;
    let end = answer.end;
    assert_eq!(
        (&end["type"], &end["seq"], &end["text"]),
        (&json!("answer.end"), &json!(2), &json!("Because of that."))
    );
    assert_eq!(end["finish_reason"], "stop");
    assert_eq!(
        (&end["model"], &end["cache"]),
        (&json!("a-model"), &json!("miss")),
        "who comes later learns it from the log"
    );
    assert_eq!(end["usage"], json!({"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}));
    assert!(end["latency_ms"].is_u64());
    let sent = ai.call(0).body;
    let spoken = sent["messages"].as_array().expect("messages").last().expect("one");
    assert_eq!(spoken, &json!({"role": "user", "content": "why?"}));
}

async fn offsets_count_unicode_scalar_values(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let mut socket = app.open("s1").await;
    ai.push(Script::answer("naïve 日本語 👩‍👩‍👧 e\u{301} \u{10ffff} end"));
    // `Answer` checks each offset against the text before it.
    let answer = Answer::to(&mut socket, "1", "?").await;
    assert_eq!(answer.text, "naïve 日本語 👩‍👩‍👧 e\u{301} \u{10ffff} end");
    assert_eq!(answer.end["type"], "answer.end");
}

async fn a_client_that_comes_back_reads_on_where_the_answer_stands(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut socket = app.open("s1").await;
    let ready = socket.ready.clone();
    let started = start(&mut socket, "1", "?").await;
    gate.word("日本 ");
    socket.event_of("answer.delta").await;
    drop(socket);
    let query = format!("?since=1&epoch={}", ready["epoch"].as_str().expect("an epoch"));
    let mut back = app.open_with("s1", &query).await;
    let running = json!([{"answer": started["answer"], "group": "chat_s1", "message": started["message"],
        "text": "日本 ", "offset": 3}]);
    assert_eq!((&back.ready["recovered"], &back.ready["answers"]), (&json!(true), &running));
    gate.word("語 ");
    gate.word("end");
    gate.finish();
    let answer = Answer::rest(&mut back, started, "日本 ".into()).await;
    assert_eq!((answer.text.as_str(), &answer.end["seq"]), ("日本 語 end", &json!(2)));
    assert_eq!(app.open("s1").await.ready["answers"], json!([]));
}

async fn any_member_may_cancel_an_answer_and_nobody_else(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let (mut alice, mut bob, mut eve) = (app.open("alice").await, app.open("bob").await, app.open("eve").await);
    join(&mut alice, "team").await;
    join(&mut bob, "team").await;
    alice.ask("1", json!({"type": "message.send", "group": "team", "text": "?"})).await;
    let started = bob.event_of("answer.start").await;
    gate.word("half ");
    bob.event_of("answer.delta").await;
    let cancel = json!({"type": "answer.cancel", "answer": started["answer"]});
    let refused = eve.ask("1", cancel.clone()).await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("not_found")));
    assert_eq!(bob.ask("1", json!({"type": "answer.cancel", "answer": "none"})).await["code"], "not_found");
    bob.send(cancel.clone()).await;
    for socket in [&mut alice, &mut bob] {
        let end = socket.event_of("answer.end").await;
        assert_eq!(
            (&end["finish_reason"], &end["text"], &end["seq"]),
            (&json!("cancelled"), &json!("half "), &json!(2))
        );
    }
    ai.wait_cancelled(0, SOON).await;
    assert_eq!(bob.ask("2", cancel).await["code"], "not_found", "it has ended");
    assert!(!kinds(&alice.settled().await).contains(&"answer.end"));
    drop(gate);
}

async fn a_retry_asks_past_the_cache(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let mut socket = app.open("s1").await;
    let mut stranger = app.open("s2").await;
    ai.push(Script::answer("The first answer."));
    let first = Answer::to(&mut socket, "1", "?").await;
    ai.push(Script::answer("The second answer."));
    let retry = json!({"type": "answer.retry", "message": first.start["message"]});
    assert_eq!(socket.ask("2", retry.clone()).await["type"], "ack");
    let second = Answer::of(&mut socket, &first.start["message"]).await;
    assert_eq!((&second.start["cache"], second.text.as_str()), (&json!("bypass"), "The second answer."));
    assert_ne!(second.start["answer"], first.start["answer"]);
    assert_eq!((&second.end["seq"], ai.calls()), (&json!(3), 2));
    assert_eq!(ai.call(1).body["messages"], ai.call(0).body["messages"], "the same question");
    for (socket, message) in [(&mut stranger, &first.start["message"]), (&mut socket, &json!("unknown"))] {
        let refused = socket.ask("3", json!({"type": "answer.retry", "message": message})).await;
        assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("not_found")));
    }
}

async fn a_first_question_is_answered_from_the_cache_in_another_session(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let (mut alice, mut bob) = (app.open("alice").await, app.open("bob").await);
    ai.push(Script::answer("Once written."));
    let written = Answer::to(&mut alice, "1", "?").await;
    // A finished answer is joined for the moment in which it is being kept; it is counted behind that.
    eventually("it is kept", SOON, async || {
        let (_, usage) = app.admin("GET", "/admin/api/usage", None).await;
        (usage["total"]["answers"] == 1).then_some(())
    })
    .await;
    let read = Answer::to(&mut bob, "1", "?").await;
    assert_eq!((&written.start["cache"], &read.start["cache"]), (&json!("miss"), &json!("hit")));
    assert_eq!((read.text.as_str(), ai.calls()), ("Once written.", 1));
    assert_eq!((&read.end["finish_reason"], &read.end["usage"]), (&json!("stop"), &written.end["usage"]));
    // With what was said before, it is another question.
    ai.push(Script::answer("With history."));
    assert_eq!(Answer::to(&mut alice, "2", "?").await.start["cache"], "miss");
    assert_eq!(ai.calls(), 2);
}

async fn equal_questions_at_once_are_asked_once(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut sockets = Vec::new();
    for n in 0..4 {
        sockets.push(app.open(&format!("s{n}")).await);
    }
    let mut starts = Vec::new();
    for (n, socket) in sockets.iter_mut().enumerate() {
        starts.push(start(socket, "1", "the same?").await);
        // Who comes late gets what there is, and then what comes.
        gate.word(&format!("word{n} "));
    }
    gate.finish();
    assert_eq!(starts[0]["cache"], "miss");
    assert!(starts[1..].iter().all(|start| start["cache"] == "coalesced"), "{starts:?}");
    for (socket, start) in sockets.iter_mut().zip(starts) {
        let answer = Answer::rest(socket, start, String::new()).await;
        assert_eq!((answer.text.as_str(), &answer.end["type"]), ("word0 word1 word2 word3 ", &json!("answer.end")));
    }
    assert_eq!(ai.calls(), 1);
}

async fn cancelling_a_shared_answer_leaves_the_others(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let (mut alice, mut bob) = (app.open("alice").await, app.open("bob").await);
    let first = start(&mut alice, "1", "the same?").await;
    let second = start(&mut bob, "1", "the same?").await;
    assert_ne!(first["answer"], second["answer"]);
    alice.send(json!({"type": "answer.cancel", "answer": first["answer"]})).await;
    assert_eq!(alice.event_of("answer.end").await["finish_reason"], "cancelled");
    gate.word("still here");
    gate.finish();
    let answer = Answer::rest(&mut bob, second, String::new()).await;
    assert_eq!((answer.text.as_str(), &answer.end["finish_reason"]), ("still here", &json!("stop")));
    assert!(!ai.call(0).cancelled);
}

async fn a_session_may_have_two_answers_under_way(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let (scripts, gates): (Vec<_>, Vec<_>) = (0..2).map(|_| Script::gated()).unzip();
    scripts.into_iter().for_each(|script| ai.push(script));
    let (mut socket, mut tab) = (app.open("s1").await, app.open("s1").await);
    let first = start(&mut socket, "1", "one?").await;
    // An answer starts before its backend is asked, and each is to have its own script.
    ai.wait_calls(1, SOON).await;
    let starts = [first, start(&mut socket, "2", "two?").await];
    ai.wait_calls(2, SOON).await;
    assert_ne!(starts[0]["answer"], starts[1]["answer"]);
    for (id, command) in
        [("3", question("three?")), ("4", json!({"type": "answer.retry", "message": starts[0]["message"]}))]
    {
        let refused = tab.ask(id, command).await;
        assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("busy")), "{refused}");
    }
    // A repetition is acknowledged all the same, and answered no second time.
    assert_eq!(tab.ask("1", question("one?")).await["seq"], 1);
    assert_eq!(tab.ask("1", question("another?")).await["code"], "bad_request");
    // Nothing was logged; what asks for no answer is never busy, nor is another session.
    assert_eq!(tab.say("5", "a note").await["seq"], 3);
    ai.push(Script::answer("For another session."));
    Answer::to(&mut app.open("s2").await, "1", "elsewhere?").await;
    for (gate, start) in gates.into_iter().zip(starts) {
        gate.word("done");
        gate.finish();
        assert_eq!(Answer::rest(&mut socket, start, String::new()).await.text, "done");
    }
    // A refused id is as good as new.
    ai.push(Script::answer("And three."));
    assert_eq!(Answer::to(&mut socket, "3", "three?").await.text, "And three.");
    assert_eq!(ai.calls(), 4);
}

/// Somebody has asked, and the backend has written the first word of the answer.
async fn half_answered(mode: Mode, setting: (&str, &str)) -> (AiServer, TestApp, TestSocket, Gate) {
    let (ai, app) = start_with_ai(mode, &[setting]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut socket = app.open("s1").await;
    start(&mut socket, "1", "?").await;
    gate.word("half ");
    (ai, app, socket, gate)
}

async fn a_client_that_leaves_does_not_stop_its_answer(mode: Mode) {
    let (ai, app, socket, gate) = half_answered(mode, ("SOPHIE__SESSION__IDLE_SECONDS", "0")).await;
    let epoch = socket.ready["epoch"].as_str().expect("an epoch").to_owned();
    drop(socket);
    gate.word("whole");
    gate.finish();
    ai.wait_finished(0, SOON).await;
    let mut back = app.open_with("s1", &format!("?since=1&epoch={epoch}")).await;
    let end = back.event_of("answer.end").await;
    assert_eq!((&end["text"], &end["finish_reason"], &end["seq"]), (&json!("half whole"), &json!("stop"), &json!(2)));
}

async fn an_answer_that_nobody_listens_to_is_dropped(mode: Mode) {
    let (ai, app, mut socket, _gate) = half_answered(mode, ("SOPHIE__AI__ABANDON_SECONDS", "1")).await;
    let epoch = socket.ready["epoch"].as_str().expect("an epoch").to_owned();
    socket.event_of("answer.delta").await;
    drop(socket);
    ai.wait_cancelled(0, LATER).await;
    let mut back = app.open_with("s1", &format!("?since=1&epoch={epoch}")).await;
    let end = back.event_of("answer.end").await;
    assert_eq!((&end["text"], &end["finish_reason"], &end["seq"]), (&json!("half "), &json!("cancelled"), &json!(2)));
}

async fn an_answer_of_a_group_goes_to_its_members(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let (mut alice, mut bob) = (app.open("alice").await, app.open("bob").await);
    join(&mut alice, "team").await;
    join(&mut bob, "team").await;
    ai.push(Script::answer("To all of you."));
    alice.ask("1", json!({"type": "message.send", "group": "team", "text": "?"})).await;
    let message = bob.event_of("message").await["message"]["id"].clone();
    for socket in [&mut alice, &mut bob] {
        let answer = Answer::of(socket, &message).await;
        assert_eq!((&answer.start["group"], answer.text.as_str()), (&json!("team"), "To all of you."));
        assert_eq!(answer.end["seq"], 2);
    }
}

async fn a_failure_is_told_after_the_start_by_its_code(mode: Mode) {
    // Longer than a busy machine lets the backend wait that is to fail in another way.
    let times = [("SOPHIE__AI__FIRST_CHUNK_SECONDS", "4"), ("SOPHIE__AI__IDLE_SECONDS", "4")];
    let (ai, app): (AiServer, TestApp) = start_with_ai(mode, &times).await;
    let mut socket = app.open("s1").await;
    let refusal = |status, kind, code| Script::refusal(status, kind, code, &[]);
    let cases = [
        (Script::hang_up(), "", "ai_unavailable"),
        (refusal(500, "server_error", "oops"), "", "ai_unavailable"),
        (refusal(400, "invalid_request_error", "context_length_exceeded"), "", "ai_rejected"),
        (refusal(401, "invalid_request_error", "invalid_api_key"), "", "ai_unavailable"),
        (Script::silent(), "", "ai_timeout"),
        (Script::silent_after("so far "), "so far ", "ai_timeout"),
        (Script::broken_after("so far "), "so far ", "interrupted"),
        (Script::ended_after("so far "), "so far ", "interrupted"),
        (Script::without_finish_reason("so far "), "so far ", "interrupted"),
        (Script::error_after("so far ", json!({"message": "secret detail", "type": "server_error"})), "so far ", ""),
    ];
    for (n, (script, text, code)) in cases.into_iter().enumerate() {
        ai.push(script);
        let answer = Answer::to(&mut socket, &n.to_string(), &format!("question {n}?")).await;
        let end = &answer.end;
        assert_eq!((&end["type"], answer.text.as_str()), (&json!("answer.error"), text), "{n} {end}");
        assert_eq!(end["seq"], 2 * n + 2, "logged");
        assert!(code.is_empty() || end["code"] == code, "{n} {end}");
        let told = end.to_string();
        assert!(end["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{end}");
        for inner in ["127.0.0.1", "a-key-of-the-tests", "secret detail", "refused by the test"] {
            assert!(!told.contains(inner), "{inner} in {told}");
        }
    }
    // A failure is never served again.
    ai.push(Script::broken_after("cut "));
    let mut first = app.open("first").await;
    assert_eq!(Answer::to(&mut first, "1", "again?").await.end["code"], "interrupted");
    ai.push(Script::answer("A whole one."));
    let mut second = app.open("second").await;
    let whole = Answer::to(&mut second, "1", "again?").await;
    assert_eq!((&whole.start["cache"], whole.text.as_str()), (&json!("miss"), "A whole one."));
}
