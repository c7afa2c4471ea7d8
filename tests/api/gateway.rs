//! The OpenAI-compatible way in: what is asked and answered goes through untouched, streamed or whole, fresh or kept.

use serde_json::{Value, json};
use sophie_kit::ai_server::{Script, finish, role, usage, word};

use crate::support::{Answer, Mode, Reply, SOON, eventually, of_chats, question, start_with_ai, streamed, until};

in_both_modes!(
    an_answer_is_streamed_as_the_backend_wrote_it_and_kept,
    one_entry_serves_streams_and_whole_bodies,
    everything_of_a_request_reaches_the_backend,
    a_whole_body_comes_through_with_all_its_fields,
    tool_calls_reasoning_choices_and_log_probabilities_survive_the_cache,
    equal_requests_at_once_are_asked_once,
    a_chat_session_and_an_application_share_an_answer,
    the_cache_is_used_as_the_request_says,
    an_answer_is_kept_for_as_long_as_the_request_says,
    the_count_of_tokens_is_told_to_who_asked_for_it,
);

async fn an_answer_is_streamed_as_the_backend_wrote_it_and_kept(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let odd = "{ \"choices\" : [{\"index\":0,\"delta\":{\"content\":\"é 😀\"}}],  \"x_new\": {\"b\":1e2,\"a\":[]} }";
    ai.push(Script::stream().event(&role()).event(odd).event(&finish("stop")).event(&usage(7, 5)).done());
    let miss = Reply::ask(&app, &streamed("?")).await;
    assert_eq!(miss.events(), [role().as_str(), odd, &finish("stop"), "[DONE]"]);
    assert_eq!((miss.header("x-sophie-cache"), miss.header("age")), ("miss", ""));
    assert_eq!((miss.header("cache-control"), miss.header("x-accel-buffering")), ("no-cache", "no"));
    let hit = Reply::kept(&app, &streamed("?")).await;
    assert_eq!(hit.text, miss.text);
    assert!(hit.header("age").parse::<u64>().expect("an age") < 60);
    assert_eq!(ai.calls(), 1);
    // Also to a client that takes compressed bodies: a compressor would hold chunks back.
    let request = app.request("POST", "/v1/chat/completions").header("accept-encoding", "gzip").json(&streamed("?"));
    let plain = Reply::to(request).await;
    assert_eq!((plain.text.as_str(), plain.header("content-encoding")), (miss.text.as_str(), ""));
}

async fn one_entry_serves_streams_and_whole_bodies(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    ai.push(Script::answer("Streamed at first."));
    let first = Reply::ask(&app, &streamed("one?")).await;
    let whole = Reply::kept(&app, &question("one?")).await;
    assert_eq!((first.answer(), whole.answer()), ("Streamed at first.".into(), "Streamed at first.".into()));
    let expected = json!({"id": "chatcmpl-test", "object": "chat.completion", "created": 1, "model": "test-model",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Streamed at first."},
            "logprobs": null, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}});
    assert_eq!(whole.json(), expected);
    ai.push(Script::whole("Whole at first."));
    let first = Reply::ask(&app, &question("two?")).await;
    let stream = Reply::kept(&app, &streamed("two?")).await;
    assert_eq!(first.header("x-sophie-cache"), "miss");
    assert_eq!((first.answer(), stream.answer()), ("Whole at first.".into(), "Whole at first.".into()));
    assert_eq!(ai.calls(), 2);
}

async fn everything_of_a_request_reaches_the_backend(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let mut body = json!({
        "model": "test-model", "n": 2, "temperature": 0.30000000000000004, "logprobs": true, "top_logprobs": 3,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "?"},
            {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{}", "A".repeat(600_000)), "detail": "low"}}]},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function",
                "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "7"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": true}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}},
        "user": "u", "metadata": {"a": "b"}, "store": true, "x_unknown": {"deep": [1, null, 12345678901234567890_u64]},
    });
    ai.push(Script::whole("."));
    assert_eq!(Reply::ask(&app, &body).await.status, 200);
    let mut sent = body.clone();
    sent["stream"] = false.into();
    assert_eq!(ai.call(0).body, sent);
    assert_eq!(ai.call(0).headers["accept"], "application/json");
    body["stream"] = true.into();
    body["x_unknown"] = 2.into();
    body["stream_options"] = json!({"include_obfuscation": false});
    assert_eq!(Reply::ask(&app, &body).await.status, 200);
    body["stream_options"]["include_usage"] = true.into();
    assert_eq!(ai.call(1).body, body);
}

async fn a_whole_body_comes_through_with_all_its_fields(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let body = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "other-model", "service_tier": "default",
        "system_fingerprint": null, "x_new": [1, {"a": null}],
        "choices": [
            {"index": 0, "finish_reason": "tool_calls", "logprobs": null, "x": 1,
             "message": {"role": "assistant", "content": null, "refusal": null, "annotations": [], "reasoning_content": "hm",
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}},
                    {"id": "b", "type": "custom", "custom": {"name": "g", "input": "y"}}]}},
            {"index": 1, "finish_reason": "stop",
             "logprobs": {"content": [{"token": "b", "logprob": -2.7182818284590455, "bytes": [98], "top_logprobs": []}], "refusal": null},
             "message": {"role": "assistant", "content": "b", "refusal": null}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3,
            "completion_tokens_details": {"reasoning_tokens": 1}},
    });
    ai.push(Script::respond(200, &[("content-type", "application/json")], &body.to_string()));
    let fresh = Reply::ask(&app, &question("?")).await;
    let kept = Reply::kept(&app, &question("?")).await;
    assert_eq!(fresh.header("x-sophie-cache"), "miss");
    assert_eq!(fresh.json(), body);
    assert_eq!(kept.json(), body);
}

async fn tool_calls_reasoning_choices_and_log_probabilities_survive_the_cache(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let chunk = |choices: Value| json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices});
    let chunks = [
        chunk(json!([{"index": 0, "delta": {"role": "assistant", "content": null, "reasoning_content": "I "}}])),
        chunk(json!([{"index": 0, "delta": {"reasoning_content": "think"}}])),
        chunk(json!([{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "a", "type": "function",
            "function": {"name": "f", "arguments": ""}}]}}])),
        chunk(json!([{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{\"x\":"}}]}}])),
        chunk(json!([{"index": 1, "delta": {"role": "assistant", "content": "B"},
            "logprobs": {"content": [{"token": "B", "logprob": -0.5}]}}])),
        chunk(json!([{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}}])),
        chunk(json!([{"index": 0, "delta": {}, "finish_reason": "tool_calls"}])),
        chunk(json!([{"index": 1, "delta": {}, "finish_reason": "stop"}])),
    ];
    ai.push(chunks.iter().fold(Script::stream(), |script, chunk| script.event(&chunk.to_string())).done());
    let fresh = Reply::ask(&app, &streamed("?")).await;
    assert_eq!(fresh.chunks(), chunks);
    assert_eq!(Reply::kept(&app, &streamed("?")).await.text, fresh.text);
    let whole = Reply::kept(&app, &question("?")).await.json();
    let message = json!({"role": "assistant", "content": null, "reasoning_content": "I think",
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}}]});
    assert_eq!(whole["choices"][0]["message"], message);
    assert_eq!(whole["choices"][1]["message"], json!({"role": "assistant", "content": "B"}));
    assert_eq!(whole["choices"][1]["logprobs"], json!({"content": [{"token": "B", "logprob": -0.5}]}));
    assert_eq!(
        (&whole["choices"][0]["finish_reason"], &whole["choices"][1]["finish_reason"]),
        (&json!("tool_calls"), &json!("stop"))
    );
    assert_eq!(ai.calls(), 1);
}

async fn equal_requests_at_once_are_asked_once(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let bodies: Vec<Value> = (0..6).map(|n| if n % 2 == 0 { streamed("same?") } else { question("same?") }).collect();
    let asked = futures_util::future::join_all(bodies.iter().map(|body| Reply::ask(&app, body)));
    let answered = async {
        ai.wait_calls(1, SOON).await;
        gate.word("One ");
        gate.word("for all.");
        // All of them have asked before the end, or find it in the cache.
        gate.finish();
    };
    let (replies, ()) = tokio::join!(asked, answered);
    assert!(replies.iter().all(|reply| reply.answer() == "One for all."));
    assert_eq!(ai.calls(), 1);
    let misses = replies.iter().filter(|reply| reply.header("x-sophie-cache") == "miss").count();
    assert_eq!(misses, 1, "{replies:?}");
}

async fn a_chat_session_and_an_application_share_an_answer(mode: Mode) {
    let environment =
        [("SOPHIE__AI__SYSTEM_PROMPT", ""), ("SOPHIE__AI__MODEL", "test-model"), ("SOPHIE__CACHE__HTTP", "always")];
    let (ai, app) = start_with_ai(mode, &environment).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut socket = app.open("s1").await;
    let ack = socket.ask("1", json!({"type": "message.send", "text": "both?"})).await;
    let start = socket.event_of("answer.start").await;
    assert_eq!(start["message"], ack["message"]);
    gate.word("Shared ");
    socket.event_of("answer.delta").await;
    // While it is written: from its first chunk.
    let stream = of_chats(streamed("both?"));
    let joined = || app.node().metrics.cache_lookups.with_label_values(&["coalesced"]).get() == 1;
    let (reply, ()) = tokio::join!(Reply::ask(&app, &stream), async {
        until("it has joined", SOON, joined).await;
        gate.word("answer.");
        gate.finish();
    });
    assert_eq!((reply.answer().as_str(), reply.header("x-sophie-cache")), ("Shared answer.", "coalesced"));
    // And once it is kept, either way round.
    Reply::kept(&app, &of_chats(question("both?"))).await;
    ai.push(Script::whole("Asked by a program."));
    Reply::ask(&app, &of_chats(question("first a program?"))).await;
    Reply::kept(&app, &of_chats(question("first a program?"))).await;
    let mut other = app.open("s2").await;
    let answer = Answer::to(&mut other, "1", "first a program?").await;
    assert_eq!((answer.text.as_str(), &answer.start["cache"]), ("Asked by a program.", &json!("hit")));
    assert_eq!(ai.calls(), 2);
}

async fn the_cache_is_used_as_the_request_says(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let ask = async |wish: &str| {
        eventually("the one before is kept", SOON, async || {
            let request = app.request("POST", "/v1/chat/completions").header("cache-control", wish);
            let reply = Reply::to(request.json(&question("?"))).await;
            let status = reply.header("x-sophie-cache").to_owned();
            (status != "coalesced").then(|| (reply.answer(), status))
        })
        .await
    };
    for text in ["one", "two", "three", "four"] {
        ai.push(Script::whole(text));
    }
    assert_eq!(ask("no-store").await, ("one".into(), "miss".into()), "is not kept");
    assert_eq!(ask("max-age=60").await, ("two".into(), "miss".into()));
    assert_eq!(ask("no-store").await, ("two".into(), "hit".into()), "may be read");
    assert_eq!(ask("no-cache").await, ("three".into(), "bypass".into()));
    eventually("kept in the place of the other", SOON, async || {
        (ask("").await == ("three".into(), "hit".into())).then_some(())
    })
    .await;
    assert_eq!(ask("No-Cache, no-store").await, ("four".into(), "bypass".into()));
    assert_eq!(ask("").await, ("three".into(), "hit".into()));
    let off = [("SOPHIE__CACHE__ENABLED", "false")];
    let (_ai, off) = start_with_ai(mode, &off).await;
    assert_eq!(Reply::ask(&off, &question("?")).await.header("x-sophie-cache"), "bypass");
}

async fn an_answer_is_kept_for_as_long_as_the_request_says(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let ask = async |seconds: &str| {
        let request = app.request("POST", "/v1/chat/completions").header("x-sophie-cache-ttl", seconds);
        Reply::to(request.json(&question("?"))).await
    };
    assert_eq!(ask("1").await.header("x-sophie-cache"), "miss");
    eventually("forgotten", SOON, async || {
        (Reply::ask(&app, &question("?")).await.header("x-sophie-cache") == "miss").then_some(())
    })
    .await;
    assert_eq!(ai.calls(), 2);
    for bad in ["0", "-1", "soon", "1.5", "99999999999"] {
        let refused = ask(bad).await;
        assert_eq!((refused.status, refused.error()["type"].as_str()), (400, Some("invalid_request_error")), "{bad}");
    }
}

async fn the_count_of_tokens_is_told_to_who_asked_for_it(mode: Mode) {
    let (_ai, app) = start_with_ai(mode, &[]).await;
    let mut counted = streamed("?");
    counted["stream_options"] = json!({"include_usage": true});
    // Fresh for one that does not want it, from the cache for one that does, and the other way round.
    let without = Reply::ask(&app, &streamed("?")).await.chunks();
    let with = Reply::ask(&app, &counted).await.chunks();
    assert_eq!(with.len(), without.len() + 1);
    assert_eq!(without, with[..without.len()]);
    let last = with.last().expect("a chunk");
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(12)));
    counted["stream_options"] = json!({"include_usage": false});
    assert_eq!(Reply::ask(&app, &counted).await.chunks(), without);
    assert_eq!(word("x").matches("usage").count(), 1, "a field that is null stays in other chunks");
}

#[tokio::test]
async fn a_long_answer_is_not_cut_for_the_json_around_its_words() {
    let (ai, app) = start_with_ai(Mode::Memory, &[("SOPHIE__AI__MAX_ANSWER_BYTES", "100000")]).await;
    let text = "word ".repeat(6_000);
    ai.push(Script::answer(&text));
    assert_eq!(Reply::ask(&app, &streamed("much?")).await.answer(), text);
    // Whoever is told by HTTP gets as much as the data may be: an image may be in it.
    ai.push(Script::huge(150_000));
    assert_eq!(Reply::ask(&app, &streamed("more?")).await.answer().len(), 150_000);
    ai.push(Script::huge(1_700_000));
    assert!(Reply::ask(&app, &streamed("too much?")).await.text.contains("\"code\":\"interrupted\""));
    // What goes into a group's log is bounded by its text.
    ai.push(Script::huge(150_000));
    let mut socket = app.open("s").await;
    assert_eq!(Answer::to(&mut socket, "1", "in a chat?").await.end["code"], "interrupted");
}
