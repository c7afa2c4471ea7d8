//! Groups read from their addresses, as Durable Streams has it.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{JWT, Mode, SOON, TestApp, TestServer, TestSocket, Token};

struct Cluster {
    redis: TestServer,
    nodes: [TestApp; 2],
}

impl Cluster {
    async fn start(environment: &[(&str, &str)]) -> Self {
        let redis = TestServer::start();
        let environment = [&[("SOPHIE__DS__POLL_SECONDS", "1")], environment].concat();
        let nodes =
            [TestApp::one_of(&redis, "n0", &environment).await, TestApp::one_of(&redis, "n1", &environment).await];
        Self { redis, nodes }
    }
}

/// A member of the group `team`.
async fn member(app: &TestApp, session: &str) -> TestSocket {
    let mut socket = app.open(session).await;
    assert_eq!(socket.ask("j", json!({"type": "group.join", "group": "team"})).await["type"], "ack");
    socket
}

/// Says something in `team`; the event as the socket gets it.
async fn say(socket: &mut TestSocket, text: &str) -> Value {
    let said = socket.ask(text, json!({"type": "message.send", "group": "team", "text": text, "assistant": false}));
    assert_eq!(said.await["type"], "ack");
    socket.event_of("message").await
}

async fn get(app: &TestApp, query: &str) -> Response {
    app.request("GET", &format!("/ds/groups/team{query}")).send().await.expect("a response")
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().expect("a text"))
}

fn next(response: &Response) -> String {
    header(response, "stream-next-offset").expect("an offset").to_owned()
}

/// The data events of a live read, until there are so many elements in them; each is followed by its control.
async fn live(app: &TestApp, offset: &str, elements: usize) -> Vec<Value> {
    let response = get(app, &format!("?offset={offset}&live=sse")).await;
    assert_eq!(header(&response, "content-type"), Some("text/event-stream"));
    assert_eq!(header(&response, "stream-sse-data-encoding"), None);
    let (mut pieces, mut read) = (response.bytes_stream(), Vec::new());
    while read.len() < elements {
        let piece = timeout(SOON, pieces.next()).await.expect("in time").expect("more").expect("no break");
        let piece = String::from_utf8(piece.to_vec()).expect("UTF-8");
        if let Some(rest) = piece.strip_prefix("event: data\ndata: ") {
            let (data, control) = rest.split_once("\n\n").expect("an event");
            read.extend(serde_json::from_str::<Vec<Value>>(data).expect("an array"));
            assert!(control.starts_with("event: control\ndata: {"), "in one write: {piece}");
            assert!(!control.contains("streamClosed"), "a group never ends: {piece}");
        }
    }
    read
}

#[tokio::test]
async fn a_group_is_read_as_its_members_get_it_and_from_where_one_left_off_at_another_node() {
    let Cluster { nodes, .. } = &Cluster::start(&[]).await;
    let mut socket = member(&nodes[0], "s1").await;
    let mut said = vec![say(&mut socket, "one").await, say(&mut socket, "two, märchenhaft").await];
    let first = get(&nodes[1], "").await;
    assert_eq!((first.status(), header(&first, "content-type")), (StatusCode::OK, Some("application/json")));
    assert_eq!((header(&first, "stream-up-to-date"), header(&first, "stream-closed")), (Some("true"), None));
    let (tag, offset) = (header(&first, "etag").expect("a tag").to_owned(), next(&first));
    assert!(offset.ends_with("_00000000000000000002"), "{offset}");
    assert_eq!(first.json::<Vec<Value>>().await.expect("an array"), said);
    let again = nodes[0].request("GET", "/ds/groups/team").header("if-none-match", &tag).send().await;
    assert_eq!(again.expect("a response").status(), StatusCode::NOT_MODIFIED);
    said.push(say(&mut socket, "three").await);
    let rest = get(&nodes[1], &format!("?offset={offset}")).await;
    assert!(header(&rest, "etag").is_some_and(|other| other != tag));
    let tail = next(&rest);
    assert_eq!(rest.json::<Vec<Value>>().await.expect("an array"), said[2..]);
    for query in [format!("?offset={tail}"), "?offset=now".to_owned()] {
        let now = get(&nodes[0], &query).await;
        assert_eq!((next(&now), header(&now, "stream-up-to-date")), (tail.clone(), Some("true")), "{query}");
        assert_eq!(now.text().await.expect("a body"), "[]");
    }
    let head = nodes[1].request("HEAD", "/ds/groups/team").send().await.expect("a response");
    assert_eq!((next(&head), header(&head, "cache-control")), (tail.clone(), Some("no-store")));
    assert!(header(&head, "stream-ttl").and_then(|left| left.parse::<u64>().ok()).is_some_and(|left| left > 60));
    let quiet = get(&nodes[1], &format!("?offset={tail}&live=long-poll")).await;
    assert_eq!((quiet.status(), next(&quiet)), (StatusCode::NO_CONTENT, tail));
    assert!(header(&quiet, "stream-cursor").is_some());
}

#[tokio::test]
async fn what_is_said_at_one_node_is_told_at_once_to_all_who_read_along_at_either() {
    // A poll that is told of nothing would end later than this test waits.
    let Cluster { nodes, .. } = &Cluster::start(&[("SOPHIE__DS__POLL_SECONDS", "60")]).await;
    let mut socket = member(&nodes[0], "s1").await;
    let before = say(&mut socket, "before").await;
    let offset = next(&get(&nodes[0], "").await);
    let streams = join_all((0..40).map(|n| live(&nodes[n % 2], "-1", 3)));
    let polls = join_all((0..40).map(async |n| {
        let response = get(&nodes[n % 2], &format!("?offset={offset}&live=long-poll")).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.json::<Vec<Value>>().await.expect("an array")
    }));
    let says = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        [say(&mut socket, "one").await, say(&mut socket, "two").await]
    };
    let all = async { tokio::join!(streams, polls, says) };
    let (streamed, polled, said) = timeout(SOON, all).await.expect("at once");
    let whole = [&[before], &said[..]].concat();
    assert!(streamed.iter().all(|read| *read == whole), "{streamed:?}");
    // What follows within a moment may come with it.
    assert!(polled.iter().all(|read| !read.is_empty() && said.starts_with(read)), "{polled:?}");
}

#[tokio::test]
async fn the_answers_of_a_chat_are_read_with_its_messages() {
    let app = TestApp::patient(Mode::Memory, &[]).await;
    let mut socket = app.open("s1").await;
    assert_eq!(socket.ask("q", json!({"type": "message.send", "text": "Hello?"})).await["type"], "ack");
    let end = socket.event_of("answer.end").await;
    let read = app.request("GET", "/ds/groups/chat_s1").send().await.expect("a response");
    let read = read.json::<Vec<Value>>().await.expect("an array");
    assert_eq!((read.len(), &read[0]["type"], &read[1]), (2, &json!("message"), &end));
}

#[tokio::test]
async fn a_long_log_comes_in_pieces_and_what_is_no_longer_kept_is_gone() {
    let app = TestApp::patient(Mode::Memory, &[("SOPHIE__SESSION__LOG_EVENTS", "600")]).await;
    let mut socket = member(&app, "s1").await;
    say(&mut socket, "0").await;
    let early = next(&get(&app, "").await);
    for number in 1..600 {
        let said = json!({"type": "message.send", "group": "team", "text": number.to_string(), "assistant": false});
        assert_eq!(socket.ask(&number.to_string(), said).await["type"], "ack");
    }
    let first = get(&app, "").await;
    let offset = next(&first);
    assert_eq!(header(&first, "stream-up-to-date"), None, "there is more");
    let mut read = first.json::<Vec<Value>>().await.expect("an array");
    let second = get(&app, &format!("?offset={offset}")).await;
    assert_eq!(header(&second, "stream-up-to-date"), Some("true"));
    read.extend(second.json::<Vec<Value>>().await.expect("an array"));
    let texts: Vec<_> = read.iter().map(|event| event["message"]["text"].as_str().expect("a text")).collect();
    assert_eq!(texts, (0..600).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(get(&app, &format!("?offset={early}")).await.status(), StatusCode::OK);
    say(&mut socket, "600").await;
    say(&mut socket, "601").await;
    for query in [format!("?offset={early}"), format!("?offset={early}&live=sse")] {
        assert_eq!(get(&app, &query).await.status(), StatusCode::GONE, "{query}");
    }
    let whole = get(&app, "").await.json::<Vec<Value>>().await.expect("an array");
    assert_eq!(whole[0]["message"]["text"], "2", "the start is where the log begins now");
}

#[tokio::test]
async fn what_cannot_be_read_is_told_so_that_a_client_stops_or_begins_anew() {
    let Cluster { redis, nodes } = &Cluster::start(&[]).await;
    assert_eq!(get(&nodes[0], "").await.status(), StatusCode::NOT_FOUND, "nobody has been there");
    let mut socket = member(&nodes[0], "s1").await;
    say(&mut socket, "one").await;
    let offset = next(&get(&nodes[1], "").await);
    let (epoch, _) = offset.split_once('_').expect("an epoch");
    for (query, status) in [
        ("?offset=x".to_owned(), 400),
        (format!("?offset={epoch}_00000000000000000002"), 400),
        (format!("?offset={epoch}_18446744073709551615"), 400),
        ("?offset=other_00000000000000000001".to_owned(), 410),
        ("?live=sse".to_owned(), 400),
        ("?offset=-1&live=soon".to_owned(), 400),
    ] {
        let response = get(&nodes[1], &query).await;
        assert_eq!(response.status().as_u16(), status, "{query}");
        assert!(response.json::<Value>().await.expect("JSON")["error"]["message"].is_string());
    }
    for method in ["PUT", "POST", "DELETE"] {
        let response = nodes[0].request(method, "/ds/groups/team").send().await.expect("a response");
        assert_eq!(
            (response.status(), header(&response, "allow")),
            (StatusCode::METHOD_NOT_ALLOWED, Some("GET, HEAD"))
        );
    }
    let illegal = nodes[0].request("GET", "/ds/groups/a%20b").send().await.expect("a response");
    assert_eq!(illegal.status(), StatusCode::BAD_REQUEST);
    // The store comes back empty, and something is said.
    let mut reading = get(&nodes[1], &format!("?offset={offset}&live=sse")).await;
    // It has begun to read: what is gone before that is refused.
    let begun = timeout(SOON, reading.chunk()).await.expect("in time").expect("no break").expect("a control");
    redis::cmd("FLUSHALL").exec(&mut redis.connection(0)).expect("flushed");
    let anew =
        socket.ask("again", json!({"type": "message.send", "group": "team", "text": "anew", "assistant": false}));
    assert_eq!(anew.await["type"], "ack");
    let rest = timeout(SOON, reading.text()).await.expect("it ends").expect("a whole body");
    let body = String::from_utf8_lossy(&begun) + &*rest;
    assert!(body.trim_end().lines().last().is_some_and(|line| line.contains(&offset)), "behind a control: {body}");
    assert_eq!(get(&nodes[1], &format!("?offset={offset}&live=long-poll")).await.status(), StatusCode::GONE);
    let whole = get(&nodes[1], "?offset=-1").await.json::<Vec<Value>>().await.expect("an array");
    assert_eq!((whole.len(), &whole[0]["message"]["text"]), (1, &json!("anew")));
}

#[tokio::test]
async fn only_who_may_be_a_member_reads_a_group() {
    let app = TestApp::patient(Mode::Memory, &[JWT[0], JWT[1], ("SOPHIE__AUTH__API_KEYS", "site:sk-site")]).await;
    let [alice, bob] = [Token::of("alice").groups(&["team"]).sign(), Token::of("bob").sign()];
    let mut socket = app.open_with("s1", &format!("?token={alice}")).await;
    assert_eq!(socket.ask("j", json!({"type": "group.join", "group": "team"})).await["type"], "ack");
    say(&mut socket, "among us").await;
    for (group, token, expected) in [
        ("team", Some(alice.as_str()), 200),
        ("team", Some(&bob), 404),
        ("team", Some("sk-site"), 404),
        ("team", None, 404),
        ("chat_s1", Some(&alice), 200),
        ("chat_s1", Some(&bob), 404),
        ("chat_s1", None, 404),
    ] {
        for query in ["", "?offset=-1&live=sse", "?offset=now&live=long-poll"] {
            let request = app.request("GET", &format!("/ds/groups/{group}{query}"));
            let request = match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            if expected == 404 || query.is_empty() {
                let status = request.send().await.expect("a response").status().as_u16();
                assert_eq!(status, expected, "{group} {token:?} {query}");
            }
        }
    }
}

#[tokio::test]
async fn a_node_that_goes_ends_live_reads_behind_a_word_and_the_other_node_goes_on() {
    let Cluster { redis: _redis, nodes: [first, second] } =
        Cluster::start(&[("SOPHIE__SERVER__DRAIN_SECONDS", "5")]).await;
    let mut socket = member(&second, "s1").await;
    say(&mut socket, "one").await;
    let response = get(&first, "?offset=-1&live=sse").await;
    let stopping = tokio::task::spawn_blocking(move || drop(first));
    let body = timeout(SOON, response.text()).await.expect("it ends").expect("a whole body");
    stopping.await.expect("stopped");
    let control = body.trim_end().rsplit("\n\n").find(|event| !event.starts_with(':')).expect("an event");
    let control: Value =
        serde_json::from_str(control.strip_prefix("event: control\ndata: ").expect("a control")).expect("JSON");
    let two = say(&mut socket, "two").await;
    let offset = control["streamNextOffset"].as_str().expect("an offset");
    assert_eq!(live(&second, offset, 1).await, [two]);
}
