//! Recovery: exactly what was missed, in order, or the plain word that it cannot be had.

use serde_json::{Value, json};

use crate::support::{Mode, TestApp, TestSocket};

async fn say_many(socket: &mut TestSocket, group: &str, numbers: std::ops::RangeInclusive<usize>) {
    // A window of what is under way keeps the socket from being slow.
    for n in numbers.clone() {
        let text = format!("message {n}");
        let id = format!("{group}-{n}");
        socket.send(json!({"type": "message.send", "id": id, "group": group, "text": text, "assistant": false})).await;
        if n % 100 == 0 {
            socket.settled().await;
        }
    }
    socket.settled().await;
}

fn since(seq: u64, epoch: &Value) -> String {
    format!("?since={seq}&epoch={}", epoch.as_str().expect("an epoch"))
}

fn seqs(events: &[Value]) -> Vec<u64> {
    let messages = events.iter().filter(|event| event["type"] == "message");
    messages.map(|event| event["seq"].as_u64().expect("a seq")).collect()
}

in_both_modes!(
    exactly_what_was_missed_follows_the_first_event,
    what_cannot_be_recovered_is_said_to_be_so,
    a_trimmed_log_recovers_what_it_holds_and_no_less,
    another_group_recovers_when_it_is_joined,
    nothing_new_comes_before_what_was_missed_in_another_group,
    a_thousand_missed_events_arrive_while_live_ones_go_on,
    a_thousand_missed_events_of_a_group_arrive_while_live_ones_go_on,
);

async fn exactly_what_was_missed_follows_the_first_event(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let mut speaker = app.open("s1").await;
    let epoch = speaker.ready["epoch"].clone();
    say_many(&mut speaker, "chat_s1", 1..=7).await;
    let mut told = app.open("s1").await;
    speaker.say("last", "message 8").await;
    let live = told.event_of("message").await;
    let mut all = Vec::new();
    for seen in [0, 3, 7, 8] {
        let mut back = app.open_with("s1", &since(seen, &epoch)).await;
        assert_eq!((&back.ready["recovered"], &back.ready["seq"]), (&json!(true), &json!(8)), "{seen}");
        let mut missed = Vec::new();
        while (missed.len() as u64) < 8 - seen {
            missed.push(back.event().await);
        }
        assert_eq!(seqs(&missed), (seen + 1..=8).collect::<Vec<_>>());
        assert!(missed.last().is_none_or(|last| *last == live), "as it was sent: {missed:?}");
        all.push(back);
    }
    speaker.say("next", "live").await;
    for mut back in all {
        assert_eq!(back.event().await["seq"], 9, "the next is live, and nothing is repeated");
        assert_eq!(back.settled().await, [Value::Null; 0]);
    }
}

async fn what_cannot_be_recovered_is_said_to_be_so(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let mut speaker = app.open("s1").await;
    let epoch = speaker.ready["epoch"].clone();
    say_many(&mut speaker, "chat_s1", 1..=3).await;
    let elsewhere = app.open("s2").await.ready["epoch"].clone();
    assert_ne!(epoch, elsewhere, "each log has an epoch of its own");
    for query in [
        String::new(),
        "?since=2".into(),
        since(4, &epoch),
        since(u64::MAX, &epoch),
        since(2, &json!("other")),
        since(2, &json!("")),
        since(2, &elsewhere),
    ] {
        let mut back = app.open_with("s1", &query).await;
        assert_eq!((&back.ready["recovered"], &back.ready["seq"]), (&json!(false), &json!(3)), "{query}");
        assert_eq!(back.settled().await, [Value::Null; 0], "{query}");
    }
}

async fn a_trimmed_log_recovers_what_it_holds_and_no_less(mode: Mode) {
    let app = TestApp::patient(mode, &[("SOPHIE__SESSION__LOG_EVENTS", "10")]).await;
    let mut speaker = app.open("s1").await;
    let epoch = speaker.ready["epoch"].clone();
    say_many(&mut speaker, "chat_s1", 1..=25).await;
    for seen in [0, 14] {
        let mut back = app.open_with("s1", &since(seen, &epoch)).await;
        assert_eq!(back.ready["recovered"], false, "{seen}");
        assert_eq!(back.settled().await, [Value::Null; 0]);
    }
    let mut back = app.open_with("s1", &since(15, &epoch)).await;
    assert_eq!(back.ready["recovered"], true);
    for seq in 16..=25 {
        assert_eq!(back.event().await["seq"], seq);
    }
}

async fn another_group_recovers_when_it_is_joined(mode: Mode) {
    let app = TestApp::patient(mode, &[("SOPHIE__SESSION__LOG_EVENTS", "10")]).await;
    let mut speaker = app.open("s1").await;
    let join =
        |since: u64, epoch: &Value| json!({"type": "group.join", "group": "team", "since": since, "epoch": epoch});
    let epoch = speaker.ask("j", json!({"type": "group.join", "group": "team"})).await["epoch"].clone();
    say_many(&mut speaker, "team", 1..=15).await;
    for (n, (seen, epoch, expected)) in
        [(8, &epoch, true), (15, &epoch, true), (3, &epoch, false), (16, &epoch, false), (8, &json!("other"), false)]
            .into_iter()
            .enumerate()
    {
        // Both for a session that is new to the group and for one that has been in it all the time.
        for session in [format!("new-{n}"), "s1".to_owned()] {
            let mut socket = app.open(&session).await;
            let ack = socket.ask("j", join(seen, epoch)).await;
            assert_eq!((&ack["type"], &ack["seq"]), (&json!("ack"), &json!(15)), "{ack}");
            assert_eq!(ack["recovered"], expected, "{seen}");
            let mut events = Vec::new();
            while expected && seqs(&events).len() < 15 - seen as usize {
                events.push(socket.event().await);
            }
            events.extend(socket.settled().await);
            let missed = if expected { (seen + 1..=15).collect() } else { vec![] };
            assert_eq!(seqs(&events), missed, "{session} {seen}");
        }
    }
}

async fn nothing_new_comes_before_what_was_missed_in_another_group(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let join = json!({"type": "group.join", "group": "team"});
    let mut speaker = app.open("speaker").await;
    let mut away = app.open("s1").await;
    for socket in [&mut speaker, &mut away] {
        assert_eq!(socket.ask("j", join.clone()).await["type"], "ack");
    }
    let home = away.ready["epoch"].clone();
    say_many(&mut speaker, "team", 1..=2).await;
    let epoch = app.open("s1").await.ready["logs"]["team"]["epoch"].clone();
    drop(away);
    say_many(&mut speaker, "team", 3..=4).await;
    let mut back = Vec::new();
    for _ in 0..4 {
        back.push(app.open_with("s1", &since(0, &home)).await);
    }
    say_many(&mut speaker, "team", 5..=6).await;
    // Who says where it was, who says where it is, who says nothing, and who came for the first time.
    let from = |socket: &TestSocket, since: u64| {
        assert_eq!(socket.ready["groups"], json!(["chat_s1", "team"]));
        json!({"type": "group.join", "group": "team", "since": since, "epoch": epoch})
    };
    let asked = from(&back[0], 2);
    assert_eq!(back[0].ask("j", asked).await["recovered"], true);
    assert_eq!(back[1].ask("j", join).await["recovered"], false);
    let asked = from(&back[2], 6);
    assert_eq!(back[2].ask("j", asked).await["recovered"], true);
    let mut fresh = app.open("s1").await;
    say_many(&mut speaker, "team", 7..=7).await;
    let expected: [&[u64]; 4] = [&[3, 4, 5, 6, 7], &[5, 6, 7], &[7], &[5, 6, 7]];
    for (socket, expected) in back.iter_mut().zip(expected) {
        let mut heard = Vec::new();
        while heard.last() != expected.last() {
            heard.push(socket.event_of("message").await["seq"].as_u64().expect("a seq"));
        }
        assert_eq!(heard, expected);
        assert_eq!(seqs(&socket.settled().await), [] as [u64; 0]);
    }
    assert_eq!(fresh.event_of("message").await["seq"], 7);
}

async fn a_thousand_missed_events_arrive_while_live_ones_go_on(mode: Mode) {
    let app = TestApp::patient(mode, &[("SOPHIE__SESSION__LOG_EVENTS", "2000")]).await;
    let mut speaker = app.open("s1").await;
    let epoch = speaker.ready["epoch"].clone();
    say_many(&mut speaker, "chat_s1", 1..=1_000).await;
    let speaking = async {
        say_many(&mut speaker, "chat_s1", 1_001..=1_300).await;
    };
    let reading = async {
        let mut back = app.open_with("s1", &since(0, &epoch)).await;
        assert_eq!(back.ready["recovered"], true);
        for seq in 1..=1_300 {
            let event = back.event().await;
            assert_eq!((&event["type"], &event["seq"]), (&json!("message"), &json!(seq)));
            assert_eq!(event["message"]["text"], format!("message {seq}"));
        }
        assert_eq!(back.settled().await, [Value::Null; 0]);
    };
    tokio::join!(reading, speaking);
}

async fn a_thousand_missed_events_of_a_group_arrive_while_live_ones_go_on(mode: Mode) {
    let app = TestApp::patient(mode, &[("SOPHIE__SESSION__LOG_EVENTS", "2000")]).await;
    let mut speaker = app.open("s1").await;
    let epoch = speaker.ask("j", json!({"type": "group.join", "group": "team"})).await["epoch"].clone();
    say_many(&mut speaker, "team", 1..=1_000).await;
    let speaking = async {
        say_many(&mut speaker, "team", 1_001..=1_300).await;
    };
    let reading = async {
        let mut back = app.open("s2").await;
        let join = json!({"type": "group.join", "group": "team", "since": 0, "epoch": epoch});
        assert_eq!(back.ask("j", join).await["recovered"], true);
        let mut events = Vec::new();
        while seqs(&events).len() < 1_300 {
            events.push(back.event().await);
        }
        events.extend(back.settled().await);
        assert_eq!(seqs(&events), (1..=1_300).collect::<Vec<_>>());
    };
    tokio::join!(reading, speaking);
}
