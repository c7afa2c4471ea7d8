//! What people say of answers and chats: kept with the session, listed for operators, counted.

use serde_json::{Value, json};

use crate::support::{Mode, TestApp, TestServer, TestSocket};

in_both_modes!(
    an_answer_and_a_chat_are_rated_and_rated_anew,
    an_answer_that_is_rated_is_one_of_the_sessions_groups,
    ratings_are_listed_in_pages_and_by_session_and_rating,
    the_same_id_rates_once,
    a_flood_of_ratings_is_held_back,
);

/// An answer in a group of the session; its name.
async fn answered(socket: &mut TestSocket, group: &str) -> String {
    let question = json!({"type": "message.send", "group": group, "text": "Hello?"});
    let (ack, end) = socket.ask_for(&format!("q-{group}"), question, "answer.end").await;
    assert_eq!(ack["type"], "ack", "{ack}");
    end["answer"].as_str().expect("a name").to_owned()
}

fn rate(answer: Option<&str>, rating: i64) -> Value {
    json!({"type": "feedback", "answer": answer, "rating": rating})
}

async fn listed(app: &TestApp, query: &str) -> Vec<(String, Value, i64)> {
    let (status, page) = app.admin("GET", &format!("/admin/api/feedback{query}"), None).await;
    assert_eq!(status, 200, "{page}");
    let rows = page["feedback"].as_array().expect("rows").iter();
    rows.map(|row| {
        let session = row["session"].as_str().expect("a session").to_owned();
        (session, row["answer"].clone(), row["rating"].as_i64().expect("a rating"))
    })
    .collect()
}

async fn an_answer_and_a_chat_are_rated_and_rated_anew(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let mut socket = app.open("s1").await;
    let answer = answered(&mut socket, "chat_s1").await;
    let thumb = json!({"type": "feedback", "answer": answer, "rating": 1, "text": "Just right"});
    assert_eq!(socket.ask("f1", thumb).await, json!({"type": "ack", "id": "f1"}));
    assert_eq!(socket.ask("f2", rate(None, 2)).await["type"], "ack");
    assert_eq!(socket.ask("f3", rate(Some(&answer), -1)).await["type"], "ack");
    let own = |answer: Value, rating| ("s1".to_owned(), answer, rating);
    assert_eq!(listed(&app, "").await, [own(json!(answer), -1), own(Value::Null, 2)]);
    let (_, session) = app.admin("GET", "/admin/api/sessions/s1", None).await;
    let ratings = session["feedback"].as_array().expect("ratings");
    assert_eq!(ratings.len(), 2, "{session}");
    assert_eq!((&ratings[0]["rating"], &ratings[0]["text"]), (&json!(-1), &Value::Null), "the words of then are gone");
    let stars = &ratings[1];
    assert_eq!(
        (&stars["group"], &stars["user"], &stars["answer"]),
        (&json!("chat_s1"), &json!("guest:s1"), &Value::Null)
    );
    for (kind, rating, count) in
        [("answer", "1", 1.0), ("answer", "-1", 1.0), ("session", "2", 1.0), ("session", "5", 0.0)]
    {
        let series = format!("sophie_feedback_total{{kind=\"{kind}\",rating=\"{rating}\"}}");
        assert_eq!(app.figure(&series), count, "{series}");
    }
}

async fn an_answer_that_is_rated_is_one_of_the_sessions_groups(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let (mut one, mut other) = (app.open("s1").await, app.open("s2").await);
    let private = answered(&mut one, "chat_s1").await;
    for socket in [&mut one, &mut other] {
        socket.ask("j", json!({"type": "group.join", "group": "team"})).await;
    }
    let shared = answered(&mut one, "team").await;
    for made_up in [private.as_str(), "a1", "nonsense", "a1:windows"] {
        let refused = other.ask("f", rate(Some(made_up), 1)).await;
        assert_eq!(refused["code"], "not_found", "{made_up}: {refused}");
    }
    assert_eq!(other.ask("f", rate(Some(&shared), 1)).await["type"], "ack");
    // An answer that was asked for again, and has a name that tells no group.
    let history = one.ask("h", json!({"type": "history.get", "group": "team"})).await;
    let message = history["events"][0]["message"]["id"].clone();
    let (_, again) = one.ask_for("r", json!({"type": "answer.retry", "message": message}), "answer.end").await;
    assert_eq!(one.ask("f", rate(again["answer"].as_str(), -1)).await["type"], "ack", "{again}");
    // Who has left rates no more.
    assert_eq!(other.ask("l", json!({"type": "group.leave", "group": "team"})).await["type"], "ack");
    assert_eq!(other.ask("f2", rate(Some(&shared), -1)).await["code"], "not_found");
}

async fn ratings_are_listed_in_pages_and_by_session_and_rating(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    for n in 1..=5 {
        let mut socket = app.open(&format!("s{n}")).await;
        assert_eq!(socket.ask("f", rate(None, n)).await["type"], "ack");
    }
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let (_, page) = app.admin("GET", &format!("/admin/api/feedback?limit=2{cursor}"), None).await;
        seen.extend(page["feedback"].as_array().expect("rows").iter().map(|row| row["rating"].as_i64()));
        pages += 1;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!((seen, pages), ([5, 4, 3, 2, 1].map(Some).to_vec(), 3));
    assert_eq!(listed(&app, "?session=s3").await, [("s3".to_owned(), Value::Null, 3)]);
    assert_eq!(listed(&app, "?rating=4").await, [("s4".to_owned(), Value::Null, 4)]);
    assert_eq!(listed(&app, "?rating=4&session=s1").await, []);
    let mut socket = app.open("s6").await;
    let answer = answered(&mut socket, "chat_s6").await;
    let thumb = json!({"type": "feedback", "answer": answer, "rating": 1, "text": "Just right"});
    assert_eq!(socket.ask("f", thumb).await["type"], "ack");
    let own = ("s6".to_owned(), json!(answer), 1);
    for query in ["?words=true", "?of=answer", "?of=answer&rating=1&words=true"] {
        assert_eq!(listed(&app, query).await, std::slice::from_ref(&own), "{query}");
    }
    assert_eq!(listed(&app, "?of=session&rating=1").await, [("s1".to_owned(), Value::Null, 1)]);
    let (status, summary) = app.admin("GET", "/admin/api/feedback/summary", None).await;
    let stars = json!({"count": 5, "average": 3.0, "each": [1, 1, 1, 1, 1]});
    assert_eq!((status, summary), (200, json!({"answers": {"good": 1, "bad": 0}, "sessions": stars})));
    for bad in
        ["limit=0", "cursor=x", "cursor=1-2-3", "cursor=-", "session=a%20b", "rating=x", "more=1", "of=x", "words=x"]
    {
        let (status, body) = app.admin("GET", &format!("/admin/api/feedback?{bad}"), None).await;
        assert_eq!((status, &body["error"]["code"]), (400, &json!("bad_request")), "{bad}");
    }
}

async fn the_same_id_rates_once(mode: Mode) {
    let app = TestApp::patient(mode, &[]).await;
    let mut socket = app.open("s1").await;
    for (id, rating) in [("f1", 5), ("f2", 1), ("f1", 5)] {
        assert_eq!(socket.ask(id, rate(None, rating)).await["type"], "ack");
    }
    assert_eq!(listed(&app, "").await, [("s1".to_owned(), Value::Null, 1)], "a late repetition changes nothing");
    assert_eq!(socket.ask("f1", rate(None, 3)).await["code"], "bad_request");
    assert_eq!(app.figure("sophie_feedback_total{kind=\"session\",rating=\"5\"}"), 1.0);
    // Without an id each counts.
    socket.send(rate(None, 4)).await;
    socket.settled().await;
    assert_eq!(listed(&app, "").await[0].2, 4);
}

async fn a_flood_of_ratings_is_held_back(mode: Mode) {
    let limits = [("SOPHIE__LIMITS__ENABLED", "true"), ("SOPHIE__LIMITS__JOINS_PER_MINUTE", "60")];
    let app = TestApp::patient(mode, &[&limits[..], &[("SOPHIE__SESSION__PERSON", "true")]].concat()).await;
    let mut socket = app.open("s1").await;
    let mut refused = None;
    for n in 0..100 {
        let command = if n % 2 == 0 { rate(None, 5) } else { json!({"type": "person.ask"}) };
        let reply = socket.ask(&format!("f{n}"), command).await;
        if reply["type"] == "error" {
            refused = Some((n, reply));
            break;
        }
    }
    let (after, reply) = refused.expect("held back");
    assert!(reply["code"] == "rate_limited" && (60..80).contains(&after), "{after}: {reply}");
}

#[tokio::test]
async fn an_answer_of_one_node_is_rated_at_another_and_listed_at_both() {
    let redis = TestServer::start();
    let nodes = [TestApp::one_of(&redis, "n0", &[]).await, TestApp::one_of(&redis, "n1", &[]).await];
    let (mut here, mut there) = (nodes[0].open("s1").await, nodes[1].open("s1").await);
    let answer = answered(&mut here, "chat_s1").await;
    let (one, two) = tokio::join!(here.ask("f1", rate(Some(&answer), 1)), there.ask("f2", rate(Some(&answer), -1)));
    assert_eq!((&one["type"], &two["type"]), (&json!("ack"), &json!("ack")));
    let both = [listed(&nodes[0], "").await, listed(&nodes[1], "").await];
    assert!(both[0].len() == 1 && both[0] == both[1], "one of the two stands: {both:?}");
}
