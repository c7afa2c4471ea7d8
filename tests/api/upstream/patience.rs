//! Backends that are slow or silent, and callers that leave or read slowly.

use std::net::SocketAddr;
use std::time::Duration;

use sophie::upstream::OpenAiOptions;
use sophie_actors::protocol::ErrorCode;
use sophie_kit::ai_server::{AiServer, Script, finish, word};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;

#[tokio::test]
async fn a_backend_that_does_not_begin_times_out_and_is_let_go() {
    for script in [Script::silent(), Script::silent_after_headers()] {
        let ai = AiServer::start().await;
        ai.push(script);
        // The request reaches the server though the machine pauses.
        let error = ask(&client(OpenAiOptions { first_chunk_seconds: 3, ..options(ai.base_url()) })).await.error;
        let error = error.expect("an error");
        assert_eq!(error.code, ErrorCode::AiTimeout);
        assert!(error.reason.contains("begin"), "{}", error.reason);
        ai.wait_cancelled(0, SOON).await;
        assert_eq!(ai.calls(), 1);
    }
}

#[tokio::test]
async fn comments_are_no_piece_of_an_answer_but_a_sign_of_life() {
    let ai = AiServer::start().await;
    // Six of them take longer than silence may; one may be three seconds late.
    let backend = client(OpenAiOptions { first_chunk_seconds: 4, idle_seconds: 4, ..options(ai.base_url()) });
    let comments = |script: Script, _| script.pause(Duration::from_millis(700)).piece(": processing\n\n");
    let script = (0..6).fold((0..6).fold(Script::stream(), comments).event(&word("a")), comments);
    ai.push(script.event(&finish("stop")).done());
    let got = ask(&backend).await;
    assert_eq!((got.text().as_str(), got.is_proven()), ("a", true));
    ai.push((0..3).fold(Script::stream(), comments).hang());
    assert_eq!(ask(&backend).await.code(), Some(ErrorCode::AiTimeout));
    ai.wait_cancelled(1, SOON).await;
}

#[tokio::test]
async fn a_backend_that_accepts_no_connection_times_out() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().expect("an address").into()).expect("a free port");
    socket.listen(0).expect("a queue of the least length");
    let address = socket.local_addr().ok().and_then(|it| it.as_socket()).expect("an address");
    // Full once a connection is kept waiting.
    let mut waiting = vec![];
    while let Ok(stream) = timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        waiting.push(stream.expect("a place in the queue"));
    }
    let options = OpenAiOptions { connect_seconds: 1, retries: 0, ..options(format!("http://{address}/v1")) };
    let error = ask(&client(options)).await.error.expect("an error");
    assert_eq!(error.code, ErrorCode::AiTimeout);
    assert!(error.reason.contains("connection"), "{}", error.reason);
}

#[tokio::test]
async fn a_backend_that_falls_silent_times_out_and_is_let_go() {
    let ai = AiServer::start().await;
    ai.push(Script::silent_after("half an"));
    let got = ask(&client(OpenAiOptions { idle_seconds: 3, ..options(ai.base_url()) })).await;
    assert_eq!((got.text().as_str(), got.code()), ("half an", Some(ErrorCode::AiTimeout)));
    assert!(got.error.expect("an error").reason.contains("silent"));
    ai.wait_cancelled(0, SOON).await;
}

#[tokio::test]
async fn an_answer_has_an_end_in_time_however_busy_it_is() {
    let ai = AiServer::start().await;
    ai.push(Script::slow_answer(&"word ".repeat(1_000), Duration::from_millis(20)));
    ai.push(Script::flood(10, 100_000_000));
    for _ in 0..2 {
        // A quick machine may take more within that time than an answer may have.
        let busy = OpenAiOptions { total_seconds: 3, max_answer_bytes: usize::MAX, ..options(ai.base_url()) };
        let got = ask(&client(busy)).await;
        assert_eq!(got.code(), Some(ErrorCode::AiTimeout));
        assert!(!got.chunks.is_empty());
    }
}

#[tokio::test]
async fn whoever_drops_an_answer_closes_its_connection_at_once() {
    let ai = AiServer::start().await;
    let (script, gate) = Script::gated();
    ai.push(script);
    gate.word("one ");
    let backend = backend(&ai);
    let stream = backend.stream(&question()).await.expect("an answer");
    drop(stream);
    ai.wait_cancelled(0, SOON).await;
}

#[tokio::test]
async fn whoever_stops_waiting_for_an_answer_closes_its_connection_at_once() {
    let ai = AiServer::start().await;
    ai.push(Script::silent());
    let backend = backend(&ai);
    let asked = question();
    tokio::select! {
        _ = backend.stream(&asked) => panic!("a silent server answered"),
        () = ai.wait_calls(1, SOON) => {}
    }
    ai.wait_cancelled(0, SOON).await;
}

#[tokio::test]
async fn a_slow_reader_makes_the_backend_wait_and_not_the_memory_grow() {
    let ai = AiServer::start().await;
    ai.push(Script::flood(64 * 1024, 2_000));
    // A slow machine takes its time for 130 MB.
    let patient = OpenAiOptions { max_answer_bytes: usize::MAX, total_seconds: 120, ..options(ai.base_url()) };
    let backend = client(patient);
    let stream = backend.stream(&question()).await.expect("an answer");
    ai.wait("a stalled call", SOON * 2, |calls| calls[0].stalled).await;
    let sent = ai.call(0).sent;
    // What both ends of the system beneath keep of what nobody reads is some ten megabytes, more where it is set so.
    assert!(sent < 100 * 1024 * 1024, "{sent} of 130 MB were taken though nobody reads");
    let got = collect(stream).await;
    assert_eq!(got.text().len(), 2_000 * 64 * 1024);
    assert!(got.is_proven(), "the answer goes on when it is read");
}
