//! Traces: what a receiver reads of a question and its answer, from the socket to the last token, and what is passed on to others.

use std::time::Duration;

use serde_json::json;
use sophie_kit::ai_server::{AiServer, Script};

use crate::support::{
    Answer, Mode, ReadSpan, Reply, SOON, TestApp, TestSocket, TraceReceiver, question, start_with_ai, streamed,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn parent(flags: &str) -> String {
    format!("00-{TRACE}-{SPAN}-{flags}")
}

async fn start(more: &[(&str, &str)]) -> (TraceReceiver, AiServer, TestApp) {
    let receiver = TraceReceiver::start().await;
    let url = receiver.url();
    let (ai, app) = start_with_ai(Mode::Memory, &[&[("SOPHIE__OTEL__ENDPOINT", url.as_str())], more].concat()).await;
    (receiver, ai, app)
}

#[actix_web::test]
async fn a_question_over_a_socket_is_one_trace_to_its_last_token() {
    let key = [("SOPHIE__OTEL__HEADERS", "authorization=Bearer the-key-of-the-receiver")];
    let (receiver, ai, app) = start(&key).await;
    ai.push(Script::answer("Nobody knows."));
    let mut socket = app.open("s").await;
    let answer = Answer::to(&mut socket, "1", "Who was it?").await;
    assert_eq!(answer.text, "Nobody knows.");
    let said = receiver.named("message.send").await;
    let answered = receiver.named("answer").await;
    let generation = receiver.named("generation").await;
    let model = answer.start["model"].as_str().expect("a name");
    let chat = receiver.named(&format!("chat {model}")).await;

    assert_eq!(said.parent(), "", "it begins a trace");
    assert_eq!((answered.parent(), generation.parent(), chat.parent()), (said.id(), answered.id(), generation.id()));
    for span in [&answered, &generation, &chat] {
        assert_eq!(span.trace(), said.trace());
    }
    let handshake = receiver.named("GET /ws/chat/{session}").await;
    assert_ne!(handshake.trace(), said.trace(), "the socket was there before");
    assert_eq!(handshake.says("http.response.status_code").as_deref(), Some("101"));
    // SERVER, INTERNAL, INTERNAL, CLIENT
    assert_eq!([&said, &answered, &generation, &chat].map(|span| span.span.kind), [2, 1, 1, 3]);
    assert!(answered.span.end_time_unix_nano >= chat.span.end_time_unix_nano, "to the last token and its end");

    for (key, value) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", model),
        ("gen_ai.response.finish_reasons", "stop"),
        ("server.address", "127.0.0.1"),
        ("sophie.backend", "openai"),
    ] {
        assert_eq!(chat.says(key).as_deref(), Some(value), "{key}");
    }
    assert!(chat.says("gen_ai.response.model").is_some() && chat.says("error.type").is_none());
    assert!(chat.says("gen_ai.usage.output_tokens").is_some_and(|tokens| tokens.parse::<u64>().is_ok()));
    assert_eq!((chat.events(), answered.events()), (vec!["first_token"], vec!["first_piece"]));
    assert_eq!(answered.says("sophie.cache").as_deref(), Some("miss"));
    assert_eq!(answered.says("sophie.outcome").as_deref(), Some("complete"));
    assert_eq!(generation.says("sophie.origin").as_deref(), Some("backend"));
    assert_eq!(said.process_says("service.name").as_deref(), Some("sophie"));
    assert!(said.says("sophie.request_id").is_some());

    // Whom we ask is told where that span stands.
    assert_eq!(ai.call(0).headers["traceparent"], format!("00-{}-{}-01", chat.trace(), chat.id()));
    for secret in ["a-key-of-the-tests", "Who was it?", "Nobody knows.", "the-key-of-the-receiver"] {
        assert!(!receiver.has_seen(secret), "{secret}");
    }
    assert!(receiver.keys().iter().all(|key| key == "Bearer the-key-of-the-receiver"));
    assert!(!receiver.keys().is_empty());

    // What is said next is another trace.
    ai.push(Script::answer("Somebody does."));
    Answer::to(&mut socket, "2", "And now?").await;
    let both = receiver.wait("two messages", 2, |span| span.span.name == "message.send").await;
    assert_ne!(both[0].trace(), both[1].trace());
}

#[actix_web::test]
async fn texts_are_told_where_that_is_asked_for_and_are_bounded() {
    let (receiver, ai, app) = start(&[("SOPHIE__OTEL__CONTENT", "true")]).await;
    let long = "word ".repeat(8_000);
    ai.push(Script::answer(&long));
    let mut socket = app.open("s").await;
    let answer = Answer::to(&mut socket, "1", "Who was it?").await;
    let chat = receiver.named(&format!("chat {}", answer.start["model"].as_str().expect("a name"))).await;
    let asked = chat.says("gen_ai.input.messages").expect("the question");
    assert!(asked.contains(r#"{"content":"Who was it?","type":"text"}"#), "{asked}");
    let said = chat.says("gen_ai.output.messages").expect("the answer");
    assert!(said.contains("word word") && said.len() < 17 * 1_024, "{}", said.len());
    let answered = receiver.named("answer").await;
    assert_eq!(answered.says("sophie.question_text").as_deref(), Some("Who was it?"));
    assert_eq!(answered.says("sophie.answer_text").map(|text| text.len()), Some(16 * 1_024));
}

#[actix_web::test]
async fn who_follows_an_answer_or_finds_it_kept_is_linked_to_what_wrote_it() {
    let (receiver, ai, app) = start(&[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut sockets = Vec::new();
    for session in ["a", "b", "c"] {
        sockets.push(app.open(session).await);
    }
    let ask = json!({"type": "message.send", "text": "Who was it?"});
    let mut messages = vec![sockets[0].ask("1", ask.clone()).await["message"].clone()];
    ai.wait_calls(1, SOON).await;
    for socket in &mut sockets[1..] {
        messages.push(socket.ask("1", ask.clone()).await["message"].clone());
    }
    gate.word("Nobody");
    let mut caches = Vec::new();
    let mut whole = Vec::new();
    for (socket, message) in sockets.iter_mut().zip(&messages) {
        let start = socket.event_of("answer.start").await;
        assert_eq!(start["message"], *message);
        caches.push(start["cache"].clone());
        whole.push(start);
    }
    gate.finish();
    assert_eq!(caches, ["miss", "coalesced", "coalesced"]);
    let answers = receiver.wait("three answers", 3, |span| span.span.name == "answer").await;
    let generation = receiver.named("generation").await;
    let (first, followers): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|span| span.says("sophie.cache").as_deref() == Some("miss"));
    assert_eq!((first.len(), followers.len()), (1, 2));
    assert_eq!(generation.parent(), first[0].id());
    assert_eq!(generation.says("sophie.askers").as_deref(), Some("3"));
    for follower in &followers {
        assert_eq!(follower.says("sophie.cache").as_deref(), Some("coalesced"));
        assert_ne!(follower.trace(), generation.trace());
        assert_eq!(follower.links(), [generation.id()]);
        assert!(generation.links().contains(&follower.id()));
    }
    assert_eq!(generation.links().len(), 2);
    let mut late = app.open("d").await;
    assert_eq!(Answer::to(&mut late, "1", "Who was it?").await.start["cache"], "hit");
    let from_cache = |span: &ReadSpan| span.says("sophie.origin").as_deref() == Some("cache");
    let found = receiver.wait("one out of the cache", 1, from_cache).await.remove(0);
    assert_eq!(found.links(), [generation.id()]);
    assert_eq!(ai.calls(), 1);
}

#[actix_web::test]
async fn a_socket_whose_handshake_names_a_trace_says_all_within_it() {
    let (receiver, ai, app) = start(&[]).await;
    ai.push(Script::answer("Yes."));
    let mut request = TestSocket::request(app.address(), "s", "");
    request.headers_mut().insert("traceparent", parent("01").parse().expect("a value"));
    let mut socket = TestSocket::open_by(request).await;
    Answer::to(&mut socket, "1", "Is it?").await;
    let said = receiver.named("message.send").await;
    let handshake = receiver.named("GET /ws/chat/{session}").await;
    for span in [said, handshake] {
        assert_eq!((span.trace(), span.parent()), (TRACE.to_owned(), SPAN.to_owned()));
    }
}

#[actix_web::test]
async fn a_request_to_the_gateway_stands_in_its_callers_trace_until_its_last_token() {
    let (receiver, ai, app) = start(&[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let request = app.request("POST", "/v1/chat/completions").json(&streamed("Is it?"));
    let request = request.header("traceparent", parent("01")).header("tracestate", "congo=t61rcWkgMzE");
    let sent = actix_web::rt::spawn(async move { Reply::to(request).await });
    ai.wait_calls(1, SOON).await;
    gate.word("Yes");
    gate.finish();
    assert_eq!(sent.await.expect("a response").status, 200);
    let asked = receiver.named("POST /v1/chat/completions").await;
    let generation = receiver.named("generation").await;
    let chat = receiver.wait("the backend", 1, |span| span.span.name.starts_with("chat ")).await.remove(0);
    assert_eq!((asked.trace(), asked.parent()), (TRACE.to_owned(), SPAN.to_owned()));
    assert_eq!((generation.parent(), chat.parent()), (asked.id(), generation.id()));
    assert_eq!(asked.says("http.response.status_code").as_deref(), Some("200"));
    assert_eq!(asked.says("sophie.cache").as_deref(), Some("miss"));
    assert!(asked.span.end_time_unix_nano >= chat.span.end_time_unix_nano, "its body was still to be sent");
    let told = ai.call(0).headers;
    assert_eq!(told["traceparent"], format!("00-{TRACE}-{}-01", chat.id()));
    assert_eq!(told["tracestate"], "congo=t61rcWkgMzE");
}

#[actix_web::test]
async fn what_failed_is_told_by_its_kind() {
    let (receiver, ai, app) = start(&[]).await;
    ai.push(Script::refusal(500, "server_error", "it_burns", &[]));
    let reply = Reply::to(app.request("POST", "/v1/chat/completions").json(&question("Is it?"))).await;
    let asked = receiver.named("POST /v1/chat/completions").await;
    let chat = receiver.wait("the backend", 1, |span| span.span.name.starts_with("chat ")).await.remove(0);
    assert!(reply.status >= 500);
    // ERROR
    for span in [&asked, &chat] {
        assert_eq!(span.span.status.as_ref().map(|status| status.code), Some(2), "{span:?}");
        assert!(span.says("error.type").is_some_and(|kind| !kind.is_empty()));
    }
    // Nobody looks for probes.
    assert_eq!(Reply::to(app.request("GET", "/health/live")).await.status, 200);
    assert_eq!(Reply::to(app.request("GET", "/nothing-is-there/secret-of-a-path")).await.status, 404);
    receiver.named("GET").await;
    assert!(!receiver.has_seen("health") && !receiver.has_seen("secret-of-a-path"));
}

#[actix_web::test]
async fn without_a_receiver_a_callers_trace_is_passed_on_as_it_came() {
    let receiver = TraceReceiver::start().await;
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    ai.set_default(|| Script::answer("Yes."));
    let ask = |text: &str| app.request("POST", "/v1/chat/completions").json(&question(text));
    let asked = ask("Is it?").header("traceparent", parent("01")).header("tracestate", "congo=t61rcWkgMzE,rojo=1");
    assert_eq!(Reply::to(asked).await.status, 200);
    let told = ai.call(0).headers;
    assert_eq!(
        (told["traceparent"].as_str(), told["tracestate"].as_str()),
        (&*parent("01"), "congo=t61rcWkgMzE,rojo=1")
    );
    for bad in ["", "00-0-0-01", &parent("01").to_uppercase()] {
        assert_eq!(Reply::to(ask(&format!("Is it {bad}?")).header("traceparent", bad)).await.status, 200);
        assert!(!ai.call(ai.calls() - 1).headers.contains_key("traceparent"), "{bad}");
    }
    let mut request = TestSocket::request(app.address(), "s", "");
    request.headers_mut().insert("traceparent", parent("00").parse().expect("a value"));
    Answer::to(&mut TestSocket::open_by(request).await, "1", "Is it over a socket?").await;
    assert_eq!(ai.call(ai.calls() - 1).headers["traceparent"], parent("00"));
    assert!(receiver.spans().is_empty());
    assert_eq!(app.figure("sophie_spans_total{outcome=\"sent\"}"), 0.0);
}

#[actix_web::test]
async fn a_trace_that_its_caller_does_not_keep_is_not_sent_and_goes_on_so() {
    let (receiver, ai, app) = start(&[]).await;
    ai.set_default(|| Script::answer("Yes."));
    let ask = |flags: &str| {
        let request = app.request("POST", "/v1/chat/completions").json(&question(&format!("Is it {flags}?")));
        Reply::to(request.header("traceparent", parent(flags)))
    };
    assert_eq!(ask("00").await.status, 200);
    let told = ai.call(0).headers["traceparent"].clone();
    assert!(told.starts_with(&format!("00-{TRACE}-")) && told.ends_with("-00"), "{told}");
    // What is kept comes behind it, and alone.
    assert_eq!(ask("01").await.status, 200);
    receiver.named("POST /v1/chat/completions").await;
    receiver.named("generation").await;
}

#[actix_web::test]
async fn a_receiver_that_is_away_holds_nobody_up() {
    let away = sophie_kit::HeldPort::free();
    let url = format!("http://127.0.0.1:{}", away.number());
    let (ai, app) = start_with_ai(Mode::Memory, &[("SOPHIE__OTEL__ENDPOINT", &url)]).await;
    ai.set_default(|| Script::answer("Yes."));
    let mut socket = app.open("s").await;
    for id in ["1", "2", "3"] {
        let since = tokio::time::Instant::now();
        Answer::to(&mut socket, id, &format!("Is it {id}?")).await;
        assert!(since.elapsed() < Duration::from_secs(5));
    }
    assert_eq!(app.figure("sophie_spans_total{outcome=\"sent\"}"), 0.0);
}
