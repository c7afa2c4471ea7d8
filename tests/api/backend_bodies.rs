//! Bodies of backends as they come: compressed, without a label, huge; and connections that close.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sophie_kit::ai_server::{Script, finish, word};

use crate::support::{Answer, Mode, Reply, question, start_with_ai, streamed};

fn head(headers: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n{headers}\r\n")
}

/// Each part compressed and flushed, as a proxy does that wants its client to see it.
fn gzipped(parts: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let mut pieces: Vec<Vec<u8>> = parts
        .iter()
        .map(|part| {
            encoder.write_all(part).and_then(|()| encoder.flush()).expect("memory");
            std::mem::take(encoder.get_mut())
        })
        .collect();
    pieces.push(encoder.finish().expect("memory"));
    pieces
}

fn lines() -> [String; 3] {
    [format!("data: {}\n\n", word("all of it")), format!("data: {}\n\n", finish("stop")), "data: [DONE]\n\n".to_owned()]
}

#[tokio::test]
async fn a_body_that_was_compressed_unasked_is_read() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    let lines = lines();
    let stream = gzipped(&lines.each_ref().map(String::as_bytes));
    let headers = head("content-type: text/event-stream\r\ncontent-encoding: gzip\r\n");
    ai.push(stream.iter().fold(Script::raw([headers]), Script::piece).end());
    assert_eq!(Reply::ask(&app, &streamed("?")).await.answer(), "all of it");
    assert_eq!(ai.call(0).headers["accept-encoding"], "identity", "nobody asked for it");

    let body = json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "whole"}, "finish_reason": "stop"}]});
    let headers = || head("content-type: application/json\r\ncontent-encoding: GZIP\r\n");
    let whole = gzipped(&[body.to_string().as_bytes()]);
    ai.push(whole.iter().fold(Script::raw([headers()]), Script::piece).end());
    assert_eq!(Reply::ask(&app, &question("whole?")).await.answer(), "whole");

    let refusal = gzipped(&[br#"{"error":{"message":"n is too large","type":"invalid_request_error"}}"#]);
    let headers = "HTTP/1.1 400 Bad\r\ntransfer-encoding: chunked\r\ncontent-encoding: gzip\r\n\r\n";
    ai.push(refusal.iter().fold(Script::raw([headers]), Script::piece).end());
    assert_eq!(Reply::ask(&app, &question("refused?")).await.error()["message"], "n is too large");
}

#[tokio::test]
async fn a_chat_shows_the_text_of_an_answer_that_comes_in_parts() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    let piece = |parts: Value| json!({"choices": [{"index": 0, "delta": {"content": parts}}]}).to_string();
    let thinking = json!({"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]});
    let text = |text: &str| json!({"type": "text", "text": text});
    let stream = Script::stream().event(&piece(json!([thinking]))).event(&piece(json!([thinking, text("It is ")])));
    ai.push(stream.event(&piece(json!([text("so"), text(".")]))).event(&finish("stop")).done());
    let mut socket = app.open("s1").await;
    let refused = socket.ask("p", json!({"type": "message.send", "text": [text("Is it?")]})).await;
    assert_eq!(refused["code"], "bad_request", "{refused}");
    socket.ask("q", json!({"type": "message.send", "text": "Is it?"})).await;
    assert_eq!(socket.event_of("answer.end").await["text"], "It is so.");
    ai.push(Script::answer("Yes."));
    socket.ask("r", json!({"type": "message.send", "text": "Really?"})).await;
    socket.event_of("answer.end").await;
    let messages = ai.call(1).body["messages"].clone();
    assert_eq!(messages[2], json!({"role": "assistant", "content": "It is so."}), "{messages}");
}

#[tokio::test]
async fn a_bomb_is_given_up_within_its_bound() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    let bomb = gzipped(&[&vec![b' '; 300 * 1024 * 1024]]);
    for kind in ["text/event-stream", "application/json"] {
        let headers = head(&format!("content-type: {kind}\r\ncontent-encoding: gzip\r\n"));
        let begun = gzipped(&[b"data: "]);
        let start = if kind == "text/event-stream" { begun[0].clone() } else { Vec::new() };
        let script = if start.is_empty() { Script::raw([headers]) } else { Script::raw([headers]).piece(start) };
        ai.push(bomb.iter().fold(script, Script::piece).end());
        let reply = Reply::ask(&app, &streamed("?")).await;
        assert!(matches!(reply.status, 502 | 503), "{kind}: {reply:?}");
    }
    let memory = std::fs::read_to_string("/proc/self/status").expect("the kernel's word");
    let peak: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok())
        .expect("a peak");
    // This test's own bomb is 300 MiB of it; other tests share the process.
    assert!(peak < 2 * 1024 * 1024, "{peak} KiB");
}

#[tokio::test]
async fn a_body_is_read_by_what_it_looks_like_whatever_it_is_called() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    let lines = lines().concat();
    let whole = json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "all of it"}, "finish_reason": "stop"}]}).to_string();
    for (n, kind) in [
        "content-type: text/plain\r\n",
        "",
        "content-type: application/octet-stream\r\n",
        "content-type: application/json\r\n",
    ]
    .iter()
    .enumerate()
    {
        ai.push(lines.bytes().fold(Script::raw([head(kind)]), |script, byte| script.piece([byte])).end());
        assert_eq!(Reply::ask(&app, &streamed(&format!("stream {n}?"))).await.answer(), "all of it", "{kind}");
        ai.push(Script::raw([head(kind)]).piece(&whole).end());
        assert_eq!(Reply::ask(&app, &question(&format!("whole {n}?"))).await.answer(), "all of it", "{kind}");
    }
    ai.push(Script::raw([head("content-type: text/event-stream\r\n")]).piece(&whole).end());
    assert_eq!(Reply::ask(&app, &streamed("whole in place of a stream?")).await.answer(), "all of it");
    ai.push(Script::raw([head("content-type: text/plain\r\n")]).piece("Hello there.").end());
    assert_eq!(Reply::ask(&app, &question("text?")).await.error()["code"], "ai_unavailable");
}

#[tokio::test]
async fn one_event_of_9_mb_passes_and_a_longer_one_than_is_set_does_not() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    ai.push(Script::huge(9_000_000));
    let reply = Reply::ask(&app, &streamed("?")).await;
    assert_eq!(reply.answer().len(), 9_000_000);
    let image = json!({"choices": [{"index": 0, "delta": {"content": "an image", "images": ["x".repeat(9_000_000)]}}]});
    ai.push(Script::stream().event(&image.to_string()).event(&finish("stop")).done());
    let mut socket = app.open("s").await;
    assert_eq!(Answer::to(&mut socket, "1", "?").await.text, "an image");

    let (ai, app) = start_with_ai(Mode::Memory, &[("SOPHIE__AI__MAX_EVENT_BYTES", "1000000")]).await;
    ai.push(Script::huge(1_100_000));
    assert_eq!(Reply::ask(&app, &streamed("?")).await.status, 503);
    ai.push(Script::huge(900_000));
    assert_eq!(Reply::ask(&app, &streamed("shorter?")).await.answer().len(), 900_000);
}

/// Whether the second request met the connection of the first one, which the backend closes under it.
async fn is_closed_under_the_next_request() -> bool {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    // The response is over with its last byte: the connection is kept, and closed under the next request.
    ai.push(Script::answer("all of it"));
    ai.push(Script::hang_up());
    ai.push(Script::answer("all of it"));
    assert_eq!(Reply::ask(&app, &streamed("first?")).await.answer(), "all of it");
    ai.wait_finished(0, crate::support::SOON).await;
    let reply = Reply::ask(&app, &streamed("second?")).await;
    let (first, closed) = (ai.call(0), ai.call(1));
    if first.connection != closed.connection {
        // It came before the client had put the connection away: then it met a new one, whose fault it is.
        assert_eq!(reply.status, 503, "{reply:?}");
        return false;
    }
    if reply.status == 503 {
        // Another connection was under way already when the kept one was found: nobody can say then which of them was closed.
        return false;
    }
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.answer(), "all of it");
    assert_ne!(closed.connection, ai.call(2).connection);
    assert_eq!(app.figure("sophie_backend_requests_total{backend=\"openai\",outcome=\"answered\"}"), 2.0);
    assert_eq!(app.figure("sophie_backend_requests_total{backend=\"openai\",outcome=\"unreachable\"}"), 0.0);
    true
}

#[tokio::test]
async fn a_kept_connection_that_the_backend_closes_costs_nothing() {
    let mut kept = 0;
    for _ in 0..30 {
        kept += usize::from(is_closed_under_the_next_request().await);
        if kept == 4 {
            return;
        }
    }
    panic!("a connection was kept {kept} times of 30");
}

#[tokio::test]
async fn a_new_connection_that_the_backend_closes_is_its_fault() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    ai.push(Script::hang_up());
    let reply = Reply::ask(&app, &streamed("?")).await;
    assert_eq!((reply.status, ai.calls()), (503, 1), "{reply:?}");
}
