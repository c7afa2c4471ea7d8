//! When an answer of the backend is whole, and what of it is kept.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script, finish, role, usage, word};

use crate::support::{Answer, Mode, Reply, SOON, TestApp, question, start_with_ai, streamed};

in_both_modes!(what_is_not_whole_or_says_nothing_is_never_kept, what_is_whole_is_kept_whoever_ends_it,);

/// A question that fixes its answer, streamed or whole.
fn fixed(text: &str, streams: bool) -> Value {
    let mut body = if streams { streamed(text) } else { question(text) };
    body["temperature"] = 0.into();
    body
}

fn chunk(choices: Value) -> String {
    json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}).to_string()
}

fn body(choices: Value) -> String {
    json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": choices}).to_string()
}

async fn what_is_not_whole_or_says_nothing_is_never_kept(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let said = |reason: &str| chunk(json!([{"index": 0, "delta": {"content": "said"}, "finish_reason": reason}]));
    let with = |choice: Value| chunk(json!([choice]));
    let whole = |choices: Value| Script::respond(200, &[("content-type", "application/json")], &body(choices));
    let other =
        |reason: &str, text: &str| chunk(json!([{"index": 1, "delta": {"content": text}, "finish_reason": reason}]));
    let message = |text: Value, reason: &str| json!({"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason});
    let streams = [
        vec![said("error")],
        vec![said("length")],
        vec![said("content_filter")],
        vec![said("tea_time")],
        vec![with(
            json!({"index": 0, "delta": {"content": "a"}, "finish_reason": "stop", "error": {"code": 502, "message": "no"}}),
        )],
        vec![said("stop"), other("content_filter", "x")],
        vec![said("stop"), other("length", "x")],
        vec![said("stop"), other("stop", "")],
        vec![role(), finish("stop")],
        vec![word(" \n"), finish("stop")],
        vec![with(
            json!({"index": 0, "delta": {"reasoning_content": "hm", "tool_calls": []}, "finish_reason": "stop"}),
        )],
    ];
    let bodies = [
        json!([message(json!("said"), "length")]),
        json!([message(json!(""), "stop")]),
        json!([message(json!(null), "stop")]),
        json!([message(json!("said"), "error")]),
        json!([message(json!("said"), "stop"), {"index": 1, "message": {"content": "x"}, "finish_reason": "content_filter"}]),
    ];
    let script = |chunks: &[String]| chunks.iter().fold(Script::stream(), |script, chunk| script.event(chunk)).done();
    let mut asked = 0;
    for (n, make) in streams
        .iter()
        .map(|chunks| Box::new(move || script(chunks)) as Box<dyn Fn() -> Script>)
        .chain(bodies.iter().map(|choices| Box::new(move || whole(choices.clone())) as Box<dyn Fn() -> Script>))
        .enumerate()
    {
        for _ in 0..2 {
            ai.push(make());
            asked += 1;
            // Until the first one is told to have ended, an equal question may still join it.
            let until = tokio::time::Instant::now() + SOON;
            while ai.calls() < asked {
                let reply = Reply::ask(&app, &fixed(&format!("{n}?"), n < streams.len())).await;
                assert_eq!((reply.status, reply.header("x-sophie-cache") == "hit"), (200, false), "{n}: {reply:?}");
                assert!(tokio::time::Instant::now() < until, "{n}: it is never asked again");
            }
        }
    }
}

async fn what_is_whole_is_kept_whoever_ends_it(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let call = json!([{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "a", "type": "function",
        "function": {"name": "f", "arguments": "{}"}}]}, "finish_reason": "tool_calls"}]);
    let list = json!([{"index": 0, "delta": {"content": [{"type": "text", "text": "a"}]}, "finish_reason": "stop"}]);
    let two = json!([{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"},
        {"index": 1, "delta": {"content": "b"}, "finish_reason": "stop"}]);
    for (n, choices) in [call, list, two].into_iter().enumerate() {
        ai.push(Script::stream().event(&chunk(choices)).done());
        let first = Reply::ask(&app, &fixed(&format!("{n}?"), true)).await;
        assert_eq!(Reply::kept(&app, &fixed(&format!("{n}?"), true)).await.text, first.text);
    }
    assert_eq!(ai.calls(), 3);
}

/// Asks over a socket and over HTTP, streamed; both must get all of it.
async fn answered(ai: &AiServer, app: &TestApp, n: usize, script: impl Fn() -> Script) {
    let mut socket = app.open(&format!("s{n}")).await;
    ai.push(script());
    let told = Answer::to(&mut socket, "1", &format!("chat {n}?")).await;
    assert_eq!((&told.end["type"], told.text.as_str()), (&json!("answer.end"), "all of it"), "{n}: {}", told.end);
    ai.push(script());
    assert_eq!(Reply::ask(app, &fixed(&format!("{n}?"), true)).await.answer(), "all of it", "{n}");
}

#[tokio::test]
async fn an_answer_whose_choices_have_all_ended_is_whole_however_the_stream_ends() {
    // Longer than a busy machine lets the backend pause that has not fallen silent.
    let (ai, app) = start_with_ai(Mode::Memory, &[("SOPHIE__AI__IDLE_SECONDS", "4")]).await;
    let told = || Script::stream().event(&word("all of it")).event(&finish("stop"));
    let ends: [fn(Script) -> Script; 7] = [
        |script| script.piece("data: [DONE]").end(),
        |script| script.piece("data: [DONE]\n").end(),
        |script| script.piece("data: [DONE]\r").close(),
        |script| script.end(),
        |script| script.event(&usage(7, 5)).end(),
        |script| script.close(),
        |script| script.hang(),
    ];
    for (n, end) in ends.into_iter().enumerate() {
        answered(&ai, &app, n, || end(told())).await;
        let calls = ai.calls();
        // Kept only with the backend's word.
        let again = Reply::ask(&app, &fixed(&format!("{n}?"), true)).await;
        let is_kept = again.header("x-sophie-cache") != "miss";
        assert_eq!(is_kept, n < 3 || ai.calls() == calls, "{n}");
        if n >= 3 {
            let until = tokio::time::Instant::now() + SOON;
            while ai.calls() == calls {
                assert_ne!(Reply::ask(&app, &fixed(&format!("{n}?"), true)).await.header("x-sophie-cache"), "hit");
                assert!(tokio::time::Instant::now() < until, "it is never asked again");
            }
        }
    }
    assert_eq!(app.figure("sophie_backend_available{backend=\"openai\"}"), 1.0);
}

#[tokio::test]
async fn without_the_backends_word_every_choice_that_was_asked_for_must_have_come() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    let mut asked = fixed("two?", true);
    asked["n"] = 2.into();
    ai.push(Script::stream().event(&word("one")).event(&finish("stop")).end());
    let reply = Reply::ask(&app, &asked).await;
    assert!(!reply.events().contains(&"[DONE]"), "{reply:?}");
    assert!(reply.text.contains("interrupted"), "{reply:?}");
}

#[tokio::test]
async fn a_character_that_was_cut_in_two_is_passed_on_and_put_together() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    let piece =
        |text: &str| format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]}}"#);
    let halves = [piece(r"all \ud83d"), piece(r"\ude00 of it")];
    let script = || Script::stream().event(&halves[0]).event(&halves[1]).event(&finish("stop")).done();
    ai.push(script());
    let reply = Reply::ask(&app, &fixed("?", true)).await;
    assert_eq!(reply.events()[..2], [halves[0].as_str(), halves[1].as_str()], "as they came");
    // The same kept answer, whole.
    assert_eq!(Reply::kept(&app, &fixed("?", false)).await.answer(), "all 😀 of it");
    let mut socket = app.open("s").await;
    ai.push(script());
    assert_eq!(Answer::to(&mut socket, "1", "?").await.end["text"], "all 😀 of it");
    let mut other = app.open("t").await;
    let kept = Answer::to(&mut other, "1", "?").await;
    assert_eq!(kept.end["text"], "all 😀 of it", "also out of the cache");

    let cut = |at: usize| {
        let (first, second) = "😀".as_bytes().split_at(at);
        let line = |before: &str, bytes: &[u8], after: &str| {
            let (head, tail) = (r#"data: {"choices":[{"index":0,"delta":{"content":""#, "\"}}]}\n\n");
            [head.as_bytes(), before.as_bytes(), bytes, after.as_bytes(), tail.as_bytes()].concat()
        };
        Script::stream().piece(line("all ", first, "")).piece(line("", second, " of it")).event(&finish("stop")).done()
    };
    for at in 1..4 {
        ai.push(cut(at));
        assert_eq!(Reply::ask(&app, &fixed(&format!("{at}?"), true)).await.answer(), "all 😀 of it");
    }
    ai.push(cut(2));
    assert_eq!(Answer::to(&mut socket, "2", "bytes?").await.end["text"], "all 😀 of it");
}

#[tokio::test]
async fn comments_are_a_sign_of_life() {
    // Together the signs take longer than may be silent, and between two of them a busy machine may pause.
    const PAUSE: Duration = Duration::from_millis(800);
    let limits = [("SOPHIE__AI__FIRST_CHUNK_SECONDS", "4"), ("SOPHIE__AI__IDLE_SECONDS", "4")];
    let thinks = |script: Script| (0..6).fold(script, |script, _| script.pause(PAUSE).piece(": PROCESSING\n\n"));
    let blanks = (0..6).fold(Script::stream(), |script, _| script.pause(PAUSE).piece(" \n"));
    let scripts = [
        thinks(thinks(Script::stream()).event(&word("all of it"))).event(&finish("stop")).done(),
        blanks.event(&word("all of it")).event(&finish("stop")).done(),
        thinks(Script::stream()).hang(),
        thinks(Script::stream().event(&word("a"))).hang(),
    ];
    let told = join_all(scripts.map(async |script| {
        let (ai, app) = start_with_ai(Mode::Memory, &limits).await;
        ai.push(script);
        (Reply::ask(&app, &fixed("?", true)).await, ai, app)
    }));
    for (n, (reply, ..)) in told.await.iter().enumerate() {
        match n {
            0 | 1 => assert_eq!(reply.answer(), "all of it", "{n}"),
            _ => assert!(reply.text.contains("ai_timeout"), "{n}: {reply:?}"),
        }
    }
}

#[tokio::test]
async fn timings_in_the_counts_chunk_are_passed_on_without_the_count() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    let last = r#"{"choices":[],"created":1,"id":"c","model":"m","object":"chat.completion.chunk","usage":{"completion_tokens":5,"prompt_tokens":7,"total_tokens":12},"timings":{"prompt_n":7,"predicted_ms":1.50}}"#;
    let script = || Script::stream().event(&word("a")).event(&finish("stop")).event(last).done();
    ai.push(script());
    let plain = Reply::ask(&app, &fixed("?", true)).await;
    let rest = r#"{"choices":[],"created":1,"id":"c","model":"m","object":"chat.completion.chunk","timings":{"prompt_n":7,"predicted_ms":1.50}}"#;
    assert_eq!(plain.events()[2..], [rest, "[DONE]"]);
    let mut counted = fixed("counted?", true);
    counted["stream_options"] = json!({"include_usage": true});
    ai.push(script());
    assert_eq!(Reply::ask(&app, &counted).await.events()[2..], [last, "[DONE]"]);
}

#[tokio::test]
async fn counts_that_cannot_be_are_not_believed() {
    let limits = [
        ("SOPHIE__LIMITS__ENABLED", "true"),
        ("SOPHIE__AUTH__API_KEYS", "ours:key-of-the-test"),
        ("SOPHIE__LIMITS__USER_TOKENS_PER_HOUR", "100000"),
        ("SOPHIE__LIMITS__USER_BURST", "100"),
    ];
    let (ai, app) = start_with_ai(Mode::Memory, &limits).await;
    for (n, count) in ["18446744073709551615", "-5", "1e300", "12.0", "36893488147419103232"].iter().enumerate() {
        let usage = format!(
            r#"{{"choices":[],"usage":{{"prompt_tokens":{count},"completion_tokens":{count},"total_tokens":{count}}}}}"#
        );
        for streams in [true, false] {
            ai.push(Script::stream().event(&word("a")).event(&finish("stop")).event(&usage).done());
            let request = app.request("POST", "/v1/chat/completions").bearer_auth("key-of-the-test");
            let reply = Reply::to(request.json(&fixed(&format!("{n} {streams}?"), streams))).await;
            assert_eq!(reply.status, 200, "{count}: {reply:?}");
        }
    }
}

#[tokio::test]
async fn a_choice_that_ends_with_an_error_is_an_error_to_people_and_the_backends_fault() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    let broken = json!([{"index": 0, "delta": {"content": ""}, "finish_reason": "error", "error": {"code": 502, "message": "no"}}]);
    ai.set_default(move || Script::stream().event(&word("half ")).event(&chunk(broken.clone())).done());
    let mut socket = app.open("s").await;
    for n in 0..5 {
        let told = Answer::to(&mut socket, &n.to_string(), &format!("{n}?")).await;
        assert_eq!((&told.end["type"], &told.end["code"]), (&json!("answer.error"), &json!("ai_unavailable")));
        assert_eq!(told.text, "half ");
    }
    assert_eq!(app.figure("sophie_backend_available{backend=\"openai\"}"), 0.0);
    // Who speaks the protocol gets it as it came.
    assert_eq!(Reply::ask(&app, &streamed("?")).await.chunks()[1]["choices"][0]["finish_reason"], "error");
}

#[tokio::test]
async fn a_choice_that_begins_with_an_error_is_answered_by_the_next_backend() {
    let (first, second) = (AiServer::start().await, AiServer::start().await);
    let broken = json!([{"index": 0, "delta": {"content": ""}, "finish_reason": "error", "error": {"code": 502, "message": "no"}}]);
    first.set_default(move || Script::stream().event(&role()).event(&chunk(broken.clone())).done());
    second.set_default(|| Script::answer("the second"));
    let table =
        json!([{"name": "a", "base_url": first.base_url()}, {"name": "b", "base_url": second.base_url()}]).to_string();
    let (_, app) = start_with_ai(Mode::Memory, &[("SOPHIE__AI__BACKENDS", &table)]).await;
    assert_eq!(Reply::ask(&app, &streamed("?")).await.answer(), "the second");
}
