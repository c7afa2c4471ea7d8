//! OpenAI's Responses: what is asked reaches a backend that knows chat completions alone, and its answer comes in the other words.

use serde_json::{Value, json};
use sophie_kit::ai_server::{Script, finish, role, usage, word};

use crate::support::{
    Mode, Reply, Responses, SOON, TestApp, events, eventually, respond_to, start_with_ai, text_of, with,
};

const KEYS: (&str, &str) = (
    "SOPHIE__AUTH__KEY",
    r#"[{"name": "shop", "key": "key-of-the-shop", "models": ["test-*"]}, {"name": "lab", "key": "key-of-the-lab", "requests_per_minute": 1}]"#,
);
const LIMITED: (&str, &str) = ("SOPHIE__LIMITS__ENABLED", "true");

fn shop(app: &TestApp) -> Responses<'_> {
    Responses { app, key: "key-of-the-shop" }
}

in_both_modes!(
    a_response_comes_whole_with_all_that_sdks_need,
    a_response_is_streamed_as_numbered_events,
    tools_and_what_the_model_thinks_come_as_items_of_their_own,
    one_in_the_background_is_queued_and_runs_by_itself,
    equal_requests_share_an_answer_whatever_else_they_say,
);

async fn a_response_comes_whole_with_all_that_sdks_need(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    ai.push(Script::answer("An answer."));
    let asked = with(
        respond_to("?"),
        json!({"instructions": "be brief", "max_output_tokens": 9, "metadata": {"k": "v"}, "prompt_cache_key": "p",
            "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
            "tools": [{"type": "function", "name": "f", "parameters": {}}, {"type": "web_search"}]}),
    );
    let reply = shop(&app).create(&asked).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let response = reply.json();
    let answer = reply.header("x-sophie-answer");
    assert_eq!(response["id"], format!("resp_{answer}"));
    assert_eq!(reply.header("link"), format!("</ds/answers/{answer}>; rel=\"alternate\""));
    assert_eq!((reply.header("x-sophie-cache"), reply.header("x-sophie-dropped")), ("miss", "web_search"));
    let said = json!({"object": "response", "status": "completed", "model": "test-model", "error": null, "incomplete_details": null,
        "instructions": "be brief", "max_output_tokens": 9, "metadata": {"k": "v"}, "parallel_tool_calls": true, "tool_choice": "auto",
        "temperature": 0, "top_p": null, "previous_response_id": null, "truncation": "disabled", "background": false, "store": true});
    for (field, value) in said.as_object().expect("an object") {
        assert_eq!(response[field], *value, "{field}");
    }
    for field in ["created_at", "reasoning", "text", "tools", "output", "usage"] {
        assert!(!response[field].is_null(), "{field}");
    }
    assert_eq!(text_of(&response), "An answer.");
    assert_eq!((&response["usage"]["input_tokens"], &response["usage"]["output_tokens"]), (&json!(7), &json!(5)));
    let sent = &ai.call(0).body;
    let messages = json!([{"role": "system", "content": "be brief"}, {"role": "user", "content": "?"}]);
    assert_eq!((&sent["messages"], &sent["max_completion_tokens"]), (&messages, &json!(9)));
    assert_eq!(sent["response_format"]["json_schema"]["name"], "n");
    for field in ["input", "instructions", "metadata", "store", "prompt_cache_key"] {
        assert!(sent.get(field).is_none(), "{field}");
    }
}

async fn a_response_is_streamed_as_numbered_events(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    for stores in [true, false] {
        ai.push(
            Script::stream()
                .event(&role())
                .event(&word("one "))
                .event(&word("two"))
                .event(&finish("stop"))
                .event(&usage(7, 5))
                .done(),
        );
        let reply =
            shop(&app).create(&with(respond_to("?"), json!({"stream": true, "store": stores, "seed": stores}))).await;
        let events = events(&reply);
        let kinds: Vec<&str> =
            events.iter().map(|it| it["type"].as_str().expect("a type").trim_start_matches("response.")).collect();
        let expected = [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ];
        assert_eq!(kinds, expected);
        assert_eq!(events[0]["sequence_number"], 0);
        assert!(!reply.text.contains("[DONE]"));
        let last = &events.last().expect("an end")["response"];
        assert_eq!((text_of(last).as_str(), &last["usage"]["total_tokens"]), ("one two", &json!(12)));
        assert_eq!((reply.header("cache-control"), reply.header("x-accel-buffering")), ("no-cache", "no"));
        assert_eq!(reply.header("link").is_empty(), !stores);
        let id = last["id"].as_str().expect("an id");
        assert_eq!(id, format!("resp_{}", reply.header("x-sophie-answer")));
        assert_eq!(shop(&app).get(id).await.status, if stores { 200 } else { 404 });
    }
}

async fn tools_and_what_the_model_thinks_come_as_items_of_their_own(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let delta = |delta: Value| json!({"choices": [{"index": 0, "delta": delta}]}).to_string();
    let call = json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":"}});
    let more = json!({"index": 0, "function": {"arguments": "\"Rome\"}"}});
    ai.push(
        Script::stream()
            .event(&delta(json!({"role": "assistant", "reasoning_content": "I think."})))
            .event(&delta(json!({"tool_calls": [call]})))
            .event(&delta(json!({"tool_calls": [more]})))
            .event(&finish("tool_calls"))
            .done(),
    );
    let tools = json!([{"type": "function", "name": "weather", "parameters": {"type": "object"}}]);
    let events = events(&shop(&app).create(&with(respond_to("Rome?"), json!({"stream": true, "tools": tools}))).await);
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    for kind in [
        "response.reasoning_summary_text.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
    ] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    let response = &events.last().expect("an end")["response"];
    assert_eq!(response["output"][0]["summary"][0]["text"], "I think.");
    let call = &response["output"][1];
    assert_eq!(
        (&call["type"], &call["call_id"], &call["arguments"]),
        (&json!("function_call"), &json!("call_1"), &json!("{\"city\":\"Rome\"}"))
    );
    // Its result goes back with the response, and with the items themselves.
    let result = json!({"type": "function_call_output", "call_id": "call_1", "output": "18 degrees"});
    let calls = json!([{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Rome\"}"}}]);
    let expected = json!([{"role": "user", "content": "Rome?"}, {"role": "assistant", "content": null, "tool_calls": calls},
        {"role": "tool", "content": "18 degrees", "tool_call_id": "call_1"}]);
    let reference = json!({"type": "item_reference", "id": call["id"]});
    let question = json!({"role": "user", "content": "Rome?"});
    for (n, more) in [
        json!({"previous_response_id": response["id"], "input": [result]}),
        json!({"input": [question, call, result]}),
        json!({"input": [question, reference, result]}),
    ]
    .into_iter()
    .enumerate()
    {
        ai.push(Script::answer("Warm."));
        // Without a temperature: what is drawn by lot is asked for each time.
        let warm = shop(&app).create(&with(with(respond_to(""), more), json!({"temperature": null}))).await;
        assert_eq!(text_of(&warm.json()), "Warm.", "{n}");
        assert_eq!(ai.call(n + 1).body["messages"], expected, "{n}");
    }
}

async fn one_in_the_background_is_queued_and_runs_by_itself(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[("SOPHIE__AI__ABANDON_SECONDS", "1")]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let reply = shop(&app).create(&with(respond_to("?"), json!({"background": true}))).await;
    let response = reply.json();
    assert_eq!(
        (&response["status"], &response["output"], &response["background"]),
        (&json!("queued"), &json!([]), &json!(true))
    );
    let id = response["id"].as_str().expect("an id");
    assert_eq!(shop(&app).get(id).await.json()["status"], "queued");
    gate.word("one ");
    // Longer than anything else is left to itself.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    eventually("it goes on", SOON, async || {
        let running = shop(&app).get(id).await.json();
        (running["status"] == "in_progress" && text_of(&running) == "one ").then_some(())
    })
    .await;
    gate.word("two");
    gate.finish();
    let ended = shop(&app).ended(id).await;
    assert_eq!((&ended["status"], text_of(&ended).as_str()), (&json!("completed"), "one two"));
    let told = shop(&app).events_after(id, None).await;
    assert_eq!((&told[0]["type"], &told[1]["type"]), (&json!("response.created"), &json!("response.queued")));
    assert_eq!(told.last().expect("an end")["response"], ended);
}

async fn equal_requests_share_an_answer_whatever_else_they_say(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    ai.push(Script::answer("The same."));
    let first = shop(&app)
        .create(&with(respond_to("?"), json!({"prompt_cache_key": "a", "client_metadata": {"turn": "1"}})))
        .await;
    let other = with(
        respond_to("?"),
        json!({"prompt_cache_key": "b", "client_metadata": {"turn": "2"}, "user": "u", "store": false, "stream": true}),
    );
    let second = shop(&app).create(&other).await;
    assert!(["hit", "coalesced"].contains(&second.header("x-sophie-cache")), "{second:?}");
    assert_ne!(first.header("x-sophie-answer"), second.header("x-sophie-answer"));
    assert_eq!(text_of(&events(&second).last().expect("an end")["response"]), "The same.");
    let chat = json!({"model": "test-model", "temperature": 0, "messages": [{"role": "user", "content": "?"}]});
    let chat = Reply::to(app.request("POST", "/v1/chat/completions").bearer_auth("key-of-the-shop").json(&chat)).await;
    assert_eq!(chat.answer(), "The same.");
    assert_eq!(ai.calls(), 1);
}

#[tokio::test]
async fn what_is_wrong_is_refused_in_openais_shape_by_its_field() {
    let (ai, app) = start_with_ai(Mode::Memory, &[KEYS, LIMITED]).await;
    for (more, field) in [
        (json!({"model": 7}), "model"),
        (json!({"stream": "yes"}), "stream"),
        (json!({"store": 1}), "store"),
        (json!({"background": true, "store": false}), "background"),
        (json!({"input": null}), "input"),
        (json!({"input": [{"role": "user", "content": [{"type": "input_audio"}]}]}), "input[0].content[0].type"),
        (json!({"input": [{"type": "item_reference", "id": "msg_gone_0"}]}), "input[0].id"),
        (json!({"tools": [{"type": "file_search"}]}), "tools[0].type"),
        (json!({"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}}), "tool_choice.type"),
        (json!({"text": {"format": {"type": "xml"}}}), "text.format.type"),
        (json!({"previous_response_id": 7}), "previous_response_id"),
        (json!({"conversation": "conv_1"}), "conversation"),
    ] {
        let refused = shop(&app).create(&with(respond_to("?"), more)).await;
        assert_eq!((refused.status, refused.error()["param"].as_str()), (400, Some(field)), "{refused:?}");
        assert_eq!(refused.error()["type"], "invalid_request_error");
    }
    let previous = shop(&app).create(&with(respond_to("?"), json!({"previous_response_id": "resp_gone"}))).await;
    let expected = json!({"message": "Previous response with id 'resp_gone' not found.", "type": "invalid_request_error",
        "param": "previous_response_id", "code": "previous_response_not_found"});
    assert_eq!((previous.status, previous.error()), (400, expected));
    let model = shop(&app).create(&with(respond_to("?"), json!({"model": "other"}))).await;
    assert_eq!((model.status, model.error()["code"].as_str()), (404, Some("model_not_found")));
    let nobody = Responses { app: &app, key: "wrong" };
    assert_eq!(nobody.create(&respond_to("?")).await.status, 401);
    assert_eq!(nobody.get("resp_x").await.status, 401);
    assert_eq!(ai.calls(), 0);
    // A long body too, of somebody who is within their limits or not.
    let long = with(respond_to(&"long ".repeat(20_000)), json!({"text": 7}));
    assert_eq!(shop(&app).create(&long).await.error()["param"], "text");
    let lab = Responses { app: &app, key: "key-of-the-lab" };
    ai.set_default(|| Script::answer("Read."));
    let statuses =
        [lab.create(&respond_to(&"long ".repeat(20_000))).await.status, lab.create(&respond_to("?")).await.status];
    assert_eq!(statuses, [200, 429]);
}

#[tokio::test]
async fn a_failure_before_the_first_event_is_the_status_and_later_the_last_event() {
    let (ai, app) = start_with_ai(Mode::Memory, &[]).await;
    for stores in [true, false] {
        for streams in [true, false] {
            ai.push(Script::refusal(400, "invalid_request_error", "context_length_exceeded", &[]));
            let refused = shop(&app).create(&with(respond_to("?"), json!({"stream": streams, "store": stores}))).await;
            assert_eq!((refused.status, refused.error()["code"].as_str()), (400, Some("context_length_exceeded")));
        }
        ai.push(
            Script::pieces([format!("data: {}\n\n", word("so far"))])
                .pause(std::time::Duration::from_millis(300))
                .close(),
        );
        let reply = shop(&app).create(&with(respond_to("broken?"), json!({"stream": true, "store": stores}))).await;
        let events = events(&reply);
        let last = events.last().expect("an end");
        assert_eq!((&last["type"], &last["response"]["status"]), (&json!("response.failed"), &json!("failed")));
        assert_eq!(
            (&last["response"]["error"]["code"], text_of(&last["response"]).as_str()),
            (&json!("interrupted"), "so far")
        );
    }
}

#[tokio::test]
async fn what_there_is_below_v1_names_the_responses() {
    let app = TestApp::start(Mode::Memory, &[]).await;
    let missing = Reply::to(app.request("GET", "/v1/nothing")).await;
    let message = missing.error()["message"].as_str().expect("text").to_owned();
    for address in
        ["POST /v1/responses,", "GET /v1/responses/{id}", "DELETE /v1/responses/{id}", "POST /v1/responses/{id}/cancel"]
    {
        assert!(message.contains(address), "{message}");
    }
    let wrong = Reply::to(app.request("PUT", "/v1/responses/resp_x")).await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, "GET, DELETE"));
}
