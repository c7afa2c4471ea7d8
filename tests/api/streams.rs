//! Answers read from their addresses, as Durable Streams has it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};
use tokio::time::{Instant, sleep};

use crate::support::{JWT, Mode, SOON, TestApp, TestServer, TestSocket, Token, eventually};

struct Cluster {
    _redis: TestServer,
    ai: AiServer,
    nodes: [TestApp; 2],
}

impl Cluster {
    async fn start(environment: &[(&str, &str)]) -> Self {
        let (redis, ai) = (TestServer::start(), AiServer::start().await);
        let backend =
            [&ai.environment()[..], &[("SOPHIE__AI__RETRIES", "0"), ("SOPHIE__DS__POLL_SECONDS", "1")]].concat();
        let environment = [&backend[..], environment].concat();
        let nodes =
            [TestApp::one_of(&redis, "n0", &environment).await, TestApp::one_of(&redis, "n1", &environment).await];
        Self { _redis: redis, ai, nodes }
    }
}

/// A question in the session's chat; its answer's id.
async fn ask(socket: &mut TestSocket) -> String {
    let ack = socket.ask("q", json!({"type": "message.send", "text": "Tell me."})).await;
    assert_eq!(ack["type"], "ack", "{ack}");
    let start = socket.event_of("answer.start").await;
    start["answer"].as_str().expect("an id").to_owned()
}

/// The store has two seconds to tell what there is: where the machine pauses for longer, a reader comes back as it is told to.
async fn get(app: &TestApp, path: &str) -> Response {
    let until = Instant::now() + SOON;
    loop {
        let response = app.request("GET", path).send().await.expect("a response");
        if response.status() != StatusCode::SERVICE_UNAVAILABLE || Instant::now() >= until {
            return response;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until a node knows of an answer: where the store is slow, its chat is told that it begins a moment before.
async fn known(app: &TestApp, path: &str) {
    eventually("known", SOON, async || (get(app, path).await.status() == StatusCode::OK).then_some(())).await;
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().expect("a text"))
}

/// Reads a stream as a client does: what there is, then by long polls until it is closed. `nodes`: asked in turn.
async fn read_whole(nodes: &[&TestApp], path: &str) -> String {
    let (mut text, mut offset, mut live) = (String::new(), "-1".to_owned(), "");
    for turn in 0.. {
        let response = get(nodes[turn % nodes.len()], &format!("{path}?offset={offset}{live}")).await;
        assert!([StatusCode::OK, StatusCode::NO_CONTENT].contains(&response.status()), "{response:?}");
        offset = header(&response, "stream-next-offset").expect("an offset").to_owned();
        let (is_closed, is_tail) =
            (header(&response, "stream-closed").is_some(), header(&response, "stream-up-to-date").is_some());
        text += &response.text().await.expect("a body");
        if is_closed {
            return text;
        }
        if is_tail {
            live = "&live=long-poll";
        }
    }
    unreachable!()
}

#[tokio::test]
async fn an_answer_is_read_while_it_grows_from_both_nodes_and_after_everybody_has_left() {
    let Cluster { ai, nodes, .. } = &Cluster::start(&[]).await;
    let text = "An answer of many words, written\r\n with pauses, märchenhaft schön. 😀".to_owned();
    ai.push(Script::slow_answer(&text, Duration::from_millis(15)));
    let mut socket = nodes[0].open("s1").await;
    let path = format!("/ds/answers/{}", ask(&mut socket).await);
    known(&nodes[1], &path).await;
    let readers = [vec![&nodes[0]], vec![&nodes[1]], vec![&nodes[0], &nodes[1]]];
    let read = futures_util::future::join_all(readers.iter().map(|nodes| read_whole(nodes, &path))).await;
    assert_eq!(read, [text.as_str(); 3]);
    let end = socket.event_of("answer.end").await;
    assert_eq!(end["text"], text);
    drop(socket);
    let chunks: Value = serde_json::from_str(&read_whole(&[&nodes[1]], &format!("{path}/ui")).await).expect("an array");
    let deltas = chunks.as_array().expect("an array").iter().filter(|chunk| chunk["type"] == "text-delta");
    assert_eq!(deltas.filter_map(|chunk| chunk["delta"].as_str()).collect::<String>(), text);
    assert_eq!(chunks[0], json!({"type": "start", "messageId": end["answer"]}));
    let events: Value =
        serde_json::from_str(&read_whole(&[&nodes[0]], &format!("{path}/events")).await).expect("an array");
    let events = events.as_array().expect("an array");
    assert_eq!((&events[0]["type"], &events[0]["sequence_number"]), (&json!("response.created"), &json!(0)));
    let last = events.last().expect("an event");
    assert_eq!(last["type"], "response.completed");
    assert_eq!(last["response"]["output"][0]["content"][0]["text"], text);
    assert_eq!(ai.calls(), 1);
}

#[tokio::test]
async fn a_piece_says_where_the_reader_stands_and_is_not_sent_twice() {
    let Cluster { ai, nodes, .. } = &Cluster::start(&[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut socket = nodes[0].open("s1").await;
    let path = format!("/ds/answers/{}", ask(&mut socket).await);
    known(&nodes[1], &path).await;
    gate.word("one ");
    socket.event_of("answer.delta").await;
    let first = loop {
        let first = get(&nodes[1], &path).await;
        if header(&first, "stream-next-offset") != Some("a_00000000000000000000") {
            break first;
        }
    };
    let offset = "a_00000000000000000004";
    assert_eq!((first.status(), header(&first, "stream-next-offset")), (StatusCode::OK, Some(offset)));
    assert_eq!((header(&first, "stream-up-to-date"), header(&first, "stream-closed")), (Some("true"), None));
    assert_eq!(header(&first, "content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(header(&first, "cache-control"), Some("private, max-age=60, stale-while-revalidate=300"));
    let tag = header(&first, "etag").expect("a tag").to_owned();
    assert_eq!(first.text().await.expect("a body"), "one ");
    let again = nodes[0].request("GET", &path).header("if-none-match", &tag).send().await.expect("a response");
    assert_eq!((again.status(), header(&again, "stream-next-offset")), (StatusCode::NOT_MODIFIED, Some(offset)));
    let now = get(&nodes[0], &format!("{path}?offset=now")).await;
    assert_eq!((header(&now, "stream-next-offset"), header(&now, "cache-control")), (Some(offset), Some("no-store")));
    assert_eq!(now.text().await.expect("a body"), "");
    let late = get(&nodes[1], &format!("{path}?offset={offset}&live=long-poll&cursor=99999999999")).await;
    assert_eq!((late.status(), header(&late, "stream-up-to-date")), (StatusCode::NO_CONTENT, Some("true")));
    assert_eq!(header(&late, "stream-cursor"), Some("100000000000"));
    gate.word("two");
    gate.finish();
    let end = socket.event_of("answer.end").await;
    // Where the store is slow, another node knows of the end a moment later.
    let rest = eventually("closed at the other node", SOON, async || {
        let rest = get(&nodes[1], &format!("{path}?offset={offset}")).await;
        (header(&rest, "stream-closed") == Some("true")).then_some(rest)
    })
    .await;
    assert!(header(&rest, "etag").is_some_and(|tag| tag.ends_with(":c\"")));
    assert_eq!(rest.text().await.expect("a body"), "two");
    assert_eq!(end["text"], "one two");
    let tail = get(&nodes[1], &format!("{path}?offset=a_00000000000000000007&live=long-poll")).await;
    assert_eq!((tail.status(), header(&tail, "stream-closed")), (StatusCode::NO_CONTENT, Some("true")));
    let head = nodes[0].request("HEAD", &path).send().await.expect("a response");
    assert_eq!(header(&head, "stream-next-offset"), Some("a_00000000000000000007"));
    assert_eq!((header(&head, "stream-closed"), header(&head, "stream-ttl")), (Some("true"), Some("3600")));
    assert_eq!(header(&head, "cache-control"), Some("no-store"));
}

#[tokio::test]
async fn events_come_with_a_word_on_where_the_reader_stands_until_the_end() {
    let Cluster { ai, nodes, .. } = &Cluster::start(&[]).await;
    let text = "Words and\r\nlines, schön.".to_owned();
    ai.push(Script::slow_answer(&text, Duration::from_millis(15)));
    let mut socket = nodes[0].open("s1").await;
    let path = format!("/ds/answers/{}", ask(&mut socket).await);
    for node in nodes {
        let response = get(node, &format!("{path}?offset=-1&live=sse")).await;
        assert_eq!(header(&response, "content-type"), Some("text/event-stream"));
        assert_eq!(header(&response, "stream-sse-data-encoding"), Some("base64"));
        let body = response.text().await.expect("a body that ends");
        let mut read = Vec::new();
        let events: Vec<&str> = body.split_terminator("\n\n").filter(|event| !event.starts_with(':')).collect();
        let mut behind_data = true;
        for event in &events {
            let (kind, data) = event.split_once("\ndata: ").expect("data");
            match kind {
                "event: data" => read.extend(STANDARD.decode(data).expect("base64")),
                "event: control" => assert!(data.contains("streamNextOffset"), "{event}"),
                other => panic!("neither data nor a control: {other}"),
            }
            assert!(behind_data || kind == "event: control", "a control stands behind each piece: {body}");
            behind_data = kind == "event: control";
        }
        assert_eq!(String::from_utf8(read).expect("UTF-8"), text);
        let last = events.last().and_then(|control| control.strip_prefix("event: control\ndata: ")).expect("a control");
        let last: Value = serde_json::from_str(last).expect("JSON");
        assert_eq!((&last["streamClosed"], &last["upToDate"]), (&json!(true), &json!(true)), "{last}");
        assert_eq!(last.get("streamCursor"), None);
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_told_so_that_a_client_stops_or_comes_back() {
    let Cluster { ai, nodes, .. } = &Cluster::start(&[]).await;
    ai.push(Script::answer("Grüße"));
    let mut socket = nodes[0].open("s1").await;
    let path = format!("/ds/answers/{}", ask(&mut socket).await);
    socket.event_of("answer.end").await;
    known(&nodes[1], &path).await;
    for (query, status) in [
        ("?offset=x", 400),
        ("?offset=a_00000000000000000099", 400),
        ("?offset=a_00000000000000000003", 400),
        ("?offset=b_00000000000000000000", 410),
        ("?live=sse", 400),
        ("?offset=-1&live=soon", 400),
    ] {
        for node in nodes {
            let response = get(node, &format!("{path}{query}")).await;
            assert_eq!(response.status().as_u16(), status, "{query}");
            assert!(response.json::<Value>().await.expect("JSON")["error"]["message"].is_string());
        }
    }
    for unknown in ["/ds/answers/never", "/ds/answers/never?offset=-1&live=sse", "/ds/answers/never/ui", "/ds/else"] {
        assert_eq!(get(&nodes[0], unknown).await.status(), StatusCode::NOT_FOUND, "{unknown}");
    }
    for method in ["PUT", "POST", "DELETE"] {
        let response = nodes[0].request(method, &path).send().await.expect("a response");
        assert_eq!(
            (response.status(), header(&response, "allow")),
            (StatusCode::METHOD_NOT_ALLOWED, Some("GET, HEAD"))
        );
    }
}

#[tokio::test]
async fn a_node_that_goes_ends_live_reads_behind_a_word_and_the_other_node_goes_on() {
    let Cluster { _redis, ai, nodes: [first, second] } =
        Cluster::start(&[("SOPHIE__SERVER__DRAIN_SECONDS", "5")]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut socket = second.open("s1").await;
    let path = format!("/ds/answers/{}", ask(&mut socket).await);
    known(&first, &path).await;
    gate.word("one ");
    let response = get(&first, &format!("{path}?offset=-1&live=sse")).await;
    let stopping = tokio::task::spawn_blocking(move || drop(first));
    let body = tokio::time::timeout(SOON, response.text()).await.expect("it ends").expect("a whole body");
    let control = body.trim_end().rsplit("\n\n").find(|event| !event.starts_with(':')).expect("an event");
    let control: Value =
        serde_json::from_str(control.strip_prefix("event: control\ndata: ").expect("a control")).expect("JSON");
    stopping.await.expect("stopped");
    gate.word("two");
    gate.finish();
    socket.event_of("answer.end").await;
    let offset = control["streamNextOffset"].as_str().expect("an offset");
    // Where the store is slow, its last words can be read a moment after the chat is told the end.
    let rest = eventually("closed", SOON, async || {
        let rest = get(&second, &format!("{path}?offset={offset}")).await;
        (header(&rest, "stream-closed") == Some("true")).then_some(rest)
    })
    .await;
    let rest = rest.text().await.expect("a body");
    assert!("one two".ends_with(&rest) && !rest.is_empty(), "{rest}");
}

#[tokio::test]
async fn only_who_may_see_the_chat_reads_its_answers() {
    let app = TestApp::patient(Mode::Memory, &[JWT[0], JWT[1], ("SOPHIE__AUTH__API_KEYS", "site:sk-site")]).await;
    let [alice, bob, carol] = [
        Token::of("alice").groups(&["team"]).sign(),
        Token::of("bob").groups(&["team"]).sign(),
        Token::of("carol").sign(),
    ];
    let mut socket = app.open_with("s1", &format!("?token={alice}")).await;
    let own = format!("/ds/answers/{}", ask(&mut socket).await);
    socket.event_of("answer.end").await;
    assert_eq!(socket.ask("j", json!({"type": "group.join", "group": "team"})).await["type"], "ack");
    let said = app.request("POST", "/api/groups/team/messages").bearer_auth("sk-site");
    let said = said.json(&json!({"text": "Hello?", "assistant": true})).send().await.expect("a response");
    let end = socket.event_of("answer.end").await;
    assert_eq!(header(&said, "x-sophie-answer"), end["answer"].as_str());
    let shared = header(&said, "link").and_then(|link| link.strip_prefix('<')?.strip_suffix(">; rel=\"alternate\""));
    let shared = shared.expect("an address").to_owned();
    let status = async |path: &str, token: Option<&str>| {
        let request = app.request("GET", path);
        let request = token.map_or(request.try_clone().expect("no body"), |token| request.bearer_auth(token));
        request.send().await.expect("a response").status().as_u16()
    };
    for (path, token, expected) in [
        (&own, Some(&alice), 200),
        (&own, Some(&bob), 404),
        (&own, Some(&carol), 404),
        (&own, None, 404),
        (&shared, Some(&alice), 200),
        (&shared, Some(&bob), 200),
        (&shared, Some(&carol), 404),
        (&shared, Some(&"sk-site".to_owned()), 404),
        (&shared, Some(&"rubbish".to_owned()), 404),
        (&shared, None, 404),
    ] {
        assert_eq!(status(path, token.map(String::as_str)).await, expected, "{path} {token:?}");
    }
    assert_eq!(status(&format!("{own}?token={alice}"), None).await, 200);
}

#[tokio::test]
async fn who_reads_without_end_is_told_to_come_back_and_can_chat_all_the_same() {
    let limits = [("SOPHIE__LIMITS__ENABLED", "true"), ("SOPHIE__LIMITS__READS_PER_MINUTE", "1")];
    let app = TestApp::patient(Mode::Memory, &limits).await;
    let path = format!("/ds/answers/{}", ask(&mut app.open("s1").await).await);
    let mut refused = None;
    for _ in 0..=200 {
        let response = get(&app, &path).await;
        if response.status() != StatusCode::OK {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.expect("a bound");
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(header(&refused, "retry-after").is_some());
    app.open("s1").await;
}
