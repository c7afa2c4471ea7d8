//! Backends that speak OpenAI's Responses themselves (`api = "responses"`): whatever a caller speaks, they are asked in their own words,
//! and what they say comes to the caller in the caller's.

use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script, called, said};

use crate::support::{
    Answer, Mode, Reply, Responses, TestApp, events, question, respond_to, start_with_ai, streamed, text_of, with,
};

const API: (&str, &str) = ("SOPHIE__AI__API", "responses");

fn anyone(app: &TestApp) -> Responses<'_> {
    Responses { app, key: "none-needed" }
}

in_both_modes!(
    a_chat_completion_is_asked_as_a_response_and_comes_back_as_one,
    a_chat_is_answered_by_such_a_backend_too,
    a_request_for_a_response_reaches_it_as_it_came,
    what_only_responses_have_comes_through_and_can_be_sent_back,
    what_is_the_same_question_is_answered_once,
);

async fn a_chat_completion_is_asked_as_a_response_and_comes_back_as_one(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[API]).await;
    ai.push(Script::response(&[said("It is "), called("call_1", "weather", r#"{"city":"Rome"}"#)]));
    let tools = json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]);
    let reply = Reply::ask(&app, &with(streamed("Rome?"), json!({"tools": tools, "max_tokens": 9}))).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!((reply.answer().as_str(), reply.events().last()), ("It is ", Some(&"[DONE]")));
    let chunks = reply.chunks();
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let pieces: Vec<&Value> =
        chunks.iter().flat_map(|it| it["choices"][0]["delta"]["tool_calls"].as_array()).flatten().collect();
    assert_eq!((&pieces[0]["id"], &pieces[0]["function"]["name"]), (&json!("call_1"), &json!("weather")));
    let arguments: String = pieces.iter().filter_map(|piece| piece["function"]["arguments"].as_str()).collect();
    assert_eq!(arguments, r#"{"city":"Rome"}"#);
    assert!(chunks.iter().any(|it| it["choices"][0]["finish_reason"] == "tool_calls"));
    let call = ai.call(0);
    assert!(call.path.ends_with("/v1/responses"), "{}", call.path);
    let user = json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Rome?"}]});
    let expected = json!({"model": "test-model", "input": [user], "temperature": 0, "max_output_tokens": 9, "stream": true, "store": false,
        "tools": [{"type": "function", "name": "weather", "parameters": {"type": "object"}}]});
    assert_eq!(call.body, expected);

    ai.push(Script::whole_response(&[said("All at once.")]));
    let whole = Reply::ask(&app, &question("whole?")).await.json();
    assert_eq!(whole["choices"][0]["message"]["content"], "All at once.");
    assert_eq!((&whole["choices"][0]["finish_reason"], &whole["usage"]["total_tokens"]), (&json!("stop"), &json!(12)));
    assert_eq!(whole["usage"]["completion_tokens_details"]["reasoning_tokens"], 2);

    let several = Reply::ask(&app, &with(question("two?"), json!({"n": 2}))).await;
    assert_eq!((several.status, &several.error()["param"], ai.calls()), (400, &json!("n"), 2));

    let embeddings = app.request("POST", "/v1/embeddings").json(&json!({"model": "test-model", "input": "a"}));
    assert_eq!(Reply::to(embeddings).await.status, 200);
    assert!(ai.call(2).path.ends_with("/v1/embeddings"));
}

async fn a_chat_is_answered_by_such_a_backend_too(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[API]).await;
    let mut socket = app.open("alice").await;
    ai.push(Script::response(&[said("Hello Alice.")]));
    let answer = Answer::to(&mut socket, "1", "Hello?").await;
    assert_eq!((answer.text.as_str(), &answer.end["usage"]["total_tokens"]), ("Hello Alice.", &json!(12)));
    Answer::to(&mut socket, "2", "And?").await;
    let input = ai.call(1).body["input"].clone();
    let texts: Vec<_> = input
        .as_array()
        .expect("items")
        .iter()
        .map(|item| item["content"][0]["text"].as_str().expect("a text"))
        .collect();
    assert_eq!(texts[1..], ["Hello?", "Hello Alice.", "And?"]);
    assert_eq!(input[2]["content"][0]["type"], "output_text");
}

async fn a_request_for_a_response_reaches_it_as_it_came(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[API]).await;
    let more = json!({"tools": [{"type": "file_search", "vector_store_ids": ["v"]}, {"type": "custom", "name": "c"}], "metadata": {"k": "v"},
        "include": ["reasoning.encrypted_content"], "prompt_cache_key": "p", "x_new": {"a": [1.0]}, "store": true, "tool_choice": "auto"});
    let asked = with(respond_to("?"), more);
    let reply = anyone(&app).create(&asked).await;
    assert_eq!((reply.status, reply.header("x-sophie-dropped")), (200, ""), "{reply:?}");
    let response = reply.json();
    assert_eq!(
        (text_of(&response).as_str(), &response["usage"]["output_tokens_details"]["reasoning_tokens"]),
        ("Hello from the test.", &json!(2))
    );
    assert_eq!(ai.call(0).body, with(asked.clone(), json!({"stream": true})));

    let next = with(respond_to("and?"), json!({"previous_response_id": response["id"]}));
    assert_eq!(anyone(&app).create(&next).await.status, 200);
    let body = &ai.call(1).body;
    let message = |role: &str, kind: &str, text: &str| json!([role, kind, text]);
    let items: Vec<Value> = body["input"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| {
            assert!(item.get("id").is_none(), "ids of ours are nothing to a backend: {item}");
            json!([item["role"], item["content"][0]["type"], item["content"][0]["text"]])
        })
        .collect();
    let expected = [
        message("user", "input_text", "?"),
        message("assistant", "output_text", "Hello from the test."),
        message("user", "input_text", "and?"),
    ];
    assert_eq!(items, expected);
    assert!(body.get("previous_response_id").is_none(), "{body}");
}

async fn what_only_responses_have_comes_through_and_can_be_sent_back(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[API]).await;
    let search = json!({"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}});
    let custom = json!({"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "apply_patch", "input": "*** Begin Patch"});
    let sealed = json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed"});
    ai.push(Script::response(&[sealed.clone(), search.clone(), said("Found."), custom.clone()]));
    let asked = with(respond_to("?"), json!({"stream": true, "tools": [{"type": "custom", "name": "apply_patch"}]}));
    let told = events(&anyone(&app).create(&asked).await);
    let done: Vec<&Value> =
        told.iter().filter(|it| it["type"] == "response.output_item.done").map(|it| &it["item"]).collect();
    let kinds: Vec<_> = done.iter().map(|item| item["type"].as_str().expect("a type")).collect();
    assert_eq!(kinds, ["reasoning", "web_search_call", "message", "custom_tool_call"]);
    let response = &told.last().expect("an end")["response"];
    assert_eq!((&response["status"], response["output"].as_array().expect("items").len()), (&json!("completed"), 4));
    for (at, theirs) in [(0, &sealed), (1, &search), (3, &custom)] {
        let item = &response["output"][at];
        assert_eq!(*item, with(theirs.clone(), json!({"id": item["id"]})));
        assert_eq!(item, done[at], "told as it stands in the response");
    }
    // A client that keeps nothing here sends all of it back.
    let mut input = response["output"].as_array().expect("items").clone();
    input.push(json!({"type": "custom_tool_call_output", "call_id": "c", "output": "Done!"}));
    let back = anyone(&app).create(&json!({"model": "test-model", "input": input, "store": false})).await;
    assert_eq!(back.status, 200, "{back:?}");
    let sent = ai.call(1).body["input"].clone();
    let kinds: Vec<_> =
        sent.as_array().expect("items").iter().map(|item| item["type"].as_str().expect("a type")).collect();
    assert_eq!(kinds, ["reasoning", "web_search_call", "message", "custom_tool_call", "custom_tool_call_output"]);
    assert_eq!((&sent[0]["encrypted_content"], &sent[3]["input"]), (&json!("sealed"), &custom["input"]));
}

async fn what_is_the_same_question_is_answered_once(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[API]).await;
    let ask = async |more: Value| {
        let reply = anyone(&app).create(&with(respond_to("the same"), more)).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.header("x-sophie-cache").to_owned()
    };
    assert_eq!(ask(json!({"prompt_cache_key": "a"})).await, "miss");
    // A finished answer is joined for the moment in which it is being kept.
    let again = ask(json!({"prompt_cache_key": "b", "client_metadata": {"turn": "2"}, "store": false})).await;
    assert!(matches!(again.as_str(), "hit" | "coalesced"), "{again}");
    assert_eq!(ask(json!({"include": ["web_search_call.results"]})).await, "miss", "more is asked for");
    assert_eq!(ai.calls(), 2);
}

// ---- what goes wrong

#[actix_web::test]
async fn its_errors_come_in_the_words_of_the_caller() {
    let (ai, app) = start_with_ai(Mode::Memory, &[API]).await;
    ai.push(Script::refusal(400, "invalid_request_error", "unsupported_parameter", &[]));
    let refused = anyone(&app).create(&respond_to("1")).await;
    assert_eq!((refused.status, &refused.error()["code"]), (400, &json!("unsupported_parameter")), "{refused:?}");

    let failed =
        json!({"response": {"status": "failed", "error": {"code": "server_error", "message": "broken inside"}}});
    ai.push(Script::response_begun().told("response.failed", failed.clone()).end());
    assert_eq!(Reply::ask(&app, &question("2")).await.status, 503);

    ai.push(Script::response_begun().response_word("half ").told("response.failed", failed).end());
    let told = events(&anyone(&app).create(&with(respond_to("3"), json!({"stream": true}))).await);
    assert_eq!(told.last().expect("an end")["type"], "response.failed");

    // A stream without its end is no answer.
    ai.push(Script::response_begun().response_word("half ").end());
    let told = events(&anyone(&app).create(&with(respond_to("4"), json!({"stream": true}))).await);
    assert_eq!(told.last().expect("an end")["type"], "response.failed");

    let cut = json!({"response": {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}});
    ai.push(Script::response_begun().response_word("half").told("response.incomplete", cut).end());
    let response = anyone(&app).create(&respond_to("5")).await.json();
    assert_eq!(
        (&response["status"], &response["incomplete_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
}

#[actix_web::test]
async fn where_backends_differ_each_is_asked_in_its_own_words_and_none_gets_what_the_other_knows_alone() {
    let (a, b) = (AiServer::start().await, AiServer::start().await);
    let tables = json!([
        {"name": "a", "base_url": a.base_url(), "api": "responses", "retries": 0},
        {"name": "b", "base_url": b.base_url(), "retries": 0},
    ]);
    let app = TestApp::start(
        Mode::Memory,
        &[("SOPHIE__AI__BACKEND", "openai"), ("SOPHIE__AI__BACKENDS", &tables.to_string())],
    )
    .await;
    let hosted = with(respond_to("?"), json!({"tools": [{"type": "file_search"}]}));
    assert_eq!(anyone(&app).create(&hosted).await.error()["param"], "tools[0].type");
    a.push(Script::refusal(500, "server_error", "", &[]));
    let reply = anyone(&app).create(&respond_to("?")).await;
    assert_eq!((reply.status, text_of(&reply.json()).as_str()), (200, "Hello from the test."));
    assert!(a.call(0).path.ends_with("/responses") && b.call(0).path.ends_with("/chat/completions"));
    assert_eq!(a.call(0).body["input"][0]["content"][0]["text"], "?");
    assert_eq!(b.call(0).body["messages"][0]["content"], "?");
}
