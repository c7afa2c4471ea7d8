//! Text completions over HTTP: the prompt of old clients is a chat's question, and its answer comes in their words.

use futures_util::future::join_all;
use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};

use crate::support::{Mode, Reply, SOON, TestApp, eventually, of_chats, question, start_with_ai, streamed};

in_both_modes!(
    a_prompt_is_answered_whole_and_streamed,
    a_prompt_and_the_chat_that_asks_the_same_are_one_request,
    an_answer_that_breaks_off_never_looks_whole,
);

fn prompt(text: &str) -> Value {
    json!({"model": "test-model", "prompt": text, "temperature": 0})
}

async fn complete(app: &TestApp, body: &Value) -> Reply {
    Reply::to(app.request("POST", "/v1/completions").json(body)).await
}

fn text_of(chunks: &[Value]) -> String {
    chunks.iter().filter_map(|chunk| chunk["choices"][0]["text"].as_str()).collect()
}

async fn a_prompt_is_answered_whole_and_streamed(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    ai.push(Script::whole("Hello there."));
    let mut body = of_chats(prompt("Say hello."));
    body["max_tokens"] = 9.into();
    let whole = complete(&app, &body).await;
    let expected = json!({"id": "cmpl-whole", "object": "text_completion", "created": 1, "model": "test-model",
        "choices": [{"index": 0, "text": "Hello there.", "logprobs": null, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}});
    assert_eq!((whole.json(), whole.header("x-sophie-cache")), (expected, "bypass"));
    let chat = json!({"model": "test-model", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 9,
        "stream": false});
    assert_eq!((ai.call(0).path.as_str(), &ai.call(0).body), ("/v1/chat/completions", &chat));
    ai.push(Script::answer("Word by 😀 word."));
    body["stream"] = true.into();
    body["stream_options"] = json!({"include_usage": true});
    body["echo"] = true.into();
    let chunks = complete(&app, &body).await.chunks();
    assert_eq!(text_of(&chunks), "Say hello.Word by 😀 word.");
    assert!(
        chunks.iter().all(|chunk| chunk["object"] == "text_completion" && chunk["id"] == "cmpl-test"),
        "{chunks:?}"
    );
    let last = chunks.last().expect("a chunk");
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(12)));
    assert_eq!(chunks[chunks.len() - 2]["choices"][0]["finish_reason"], "stop");
}

async fn a_prompt_and_the_chat_that_asks_the_same_are_one_request(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut old = prompt("same?");
    old["stream"] = true.into();
    let all = [old, prompt("same?")];
    let callers = join_all(all.iter().map(|body| complete(&app, body)));
    let asked = [streamed("same?"), question("same?")];
    let chats = join_all(asked.iter().map(|body| Reply::ask(&app, body)));
    let answering = async {
        ai.wait_calls(1, SOON).await;
        gate.word("One ");
        gate.word("answer.");
        gate.finish();
    };
    let (callers, chats, ()) = tokio::join!(callers, chats, answering);
    assert_eq!(text_of(&callers[0].chunks()), "One answer.");
    assert_eq!(callers[1].json()["choices"][0]["text"], "One answer.");
    assert!(chats.iter().all(|reply| reply.answer() == "One answer."), "{chats:?}");
    Reply::kept(&app, &question("same?")).await;
    let hit = complete(&app, &prompt("same?")).await;
    assert_eq!((hit.header("x-sophie-cache"), &hit.json()["choices"][0]["text"]), ("hit", &json!("One answer.")));
    assert_eq!(ai.calls(), 1);
}

async fn an_answer_that_breaks_off_never_looks_whole(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    ai.push(Script::broken_after("half of it "));
    let mut body = prompt("broken?");
    body["stream"] = true.into();
    let reply = complete(&app, &body).await;
    let events = reply.events();
    let last: Value = serde_json::from_str(events.last().expect("an event")).expect("JSON");
    assert_eq!(last["error"]["code"], "interrupted", "{events:?}");
    ai.push(Script::broken_after("half of it "));
    assert_eq!(complete(&app, &prompt("broken?")).await.status, 502);
    eventually("answered", SOON, async || (complete(&app, &prompt("broken?")).await.status == 200).then_some(())).await;
    assert_eq!(ai.calls(), 3);
}

#[tokio::test]
async fn what_no_chat_can_do_is_refused_by_name_and_costs_no_call() {
    let key = ("SOPHIE__AUTH__KEY", r#"[{"name": "old", "key": "key-of-old", "models": ["test-*"]}]"#);
    let ai = AiServer::start().await;
    let app = TestApp::start(Mode::Memory, &[&ai.environment()[..], &[key]].concat()).await;
    let ask = async |body: &Value| {
        Reply::to(app.request("POST", "/v1/completions").bearer_auth("key-of-old").json(body)).await
    };
    for (field, value) in
        [("suffix", json!("x")), ("best_of", json!(3)), ("logprobs", json!(5)), ("prompt", json!(["a", "b"]))]
    {
        let mut body = prompt("?");
        body[field] = value;
        let refused = ask(&body).await;
        assert_eq!((refused.status, &refused.error()["param"]), (400, &json!(field)), "{body}");
    }
    let mut other = prompt("?");
    other["model"] = "secret".into();
    assert_eq!(ask(&other).await.error()["code"], "model_not_found");
    other["model"] = "test-model".into();
    other["fallbacks"] = json!(["secret"]);
    assert_eq!(ask(&other).await.error()["param"], "fallbacks");
    assert_eq!(ai.calls(), 0);
    // A prompt that speaks of models is no list of them.
    assert_eq!(ask(&prompt("model: secret, fallbacks: secret")).await.status, 200);
}
