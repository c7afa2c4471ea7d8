//! Responses that are kept: told again from any event on, listed, stopped and deleted, by the holder of their key alone.

use std::time::Duration;

use serde_json::{Value, json};
use sophie_kit::ai_server::Script;
use tokio::time::Instant;

use crate::support::{Mode, Responses, SOON, TestApp, events, respond_to, start_with_ai, with};

const KEYS: (&str, &str) =
    ("SOPHIE__AUTH__KEY", r#"[{"name": "shop", "key": "key-of-the-shop"}, {"name": "lab", "key": "key-of-the-lab"}]"#);

fn shop(app: &TestApp) -> Responses<'_> {
    Responses { app, key: "key-of-the-shop" }
}

#[tokio::test]
async fn who_reads_too_much_is_told_when_to_come_back_and_others_read_on() {
    let limits = [KEYS, ("SOPHIE__LIMITS__ENABLED", "true"), ("SOPHIE__LIMITS__READS_PER_MINUTE", "60")];
    let (ai, app) = start_with_ai(Mode::Memory, &limits).await;
    ai.push(Script::answer("Yes."));
    let response = shop(&app).create(&respond_to("?")).await.json();
    let mut refused = None;
    for _ in 0..300 {
        let reply = shop(&app).get(id(&response)).await;
        if reply.status != 200 {
            refused = Some(reply);
            break;
        }
    }
    let refused = refused.expect("a bound");
    assert_eq!((refused.status, refused.error()["code"].as_str()), (429, Some("rate_limit_exceeded")));
    assert!(!refused.header("retry-after").is_empty());
    let lab = Responses { app: &app, key: "key-of-the-lab" };
    assert_eq!(lab.get(id(&response)).await.status, 404);
}

fn id(response: &Value) -> &str {
    response["id"].as_str().expect("an id")
}

in_both_modes!(
    a_response_is_told_again_from_any_event_on,
    a_response_is_stopped_once_and_stays_as_it_is,
    a_deleted_response_is_known_to_nobody,
    what_was_asked_is_listed_a_page_at_a_time_with_what_was_said_before,
    a_conversation_is_no_longer_than_a_request_may_be,
    somebody_elses_response_is_one_that_never_was,
);

async fn a_response_is_told_again_from_any_event_on(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    ai.push(Script::answer("Some words, one by one."));
    let whole = events(&shop(&app).create(&with(respond_to("?"), json!({"stream": true}))).await);
    let response = &whole.last().expect("an end")["response"];
    assert_eq!(shop(&app).events_after(id(response), None).await, whole);
    for k in 0..whole.len() {
        let rest = shop(&app).events_after(id(response), Some(k)).await;
        assert_eq!(rest, whole[k + 1..], "after {k}");
    }
    assert_eq!(shop(&app).get(id(response)).await.json(), *response);
    let stream = format!("/ds/answers/{}/events", id(response).trim_start_matches("resp_"));
    let stream = app.request("GET", &stream).send().await.expect("a response").json::<Value>().await.expect("JSON");
    assert_eq!(stream, Value::from(whole.clone()), "the same as a stream of its own");
    for (query, field) in [
        ("?stream=maybe", "stream"),
        ("?starting_after=1", "starting_after"),
        ("?stream=true&starting_after=-1", "starting_after"),
    ] {
        let refused = shop(&app).get(&format!("{}{query}", id(response))).await;
        assert_eq!((refused.status, refused.error()["param"].as_str()), (400, Some(field)));
    }
}

async fn a_response_is_stopped_once_and_stays_as_it_is(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    for (n, more) in [json!({"background": true}), json!({"background": true, "stream": true}), json!({"stream": true})]
        .into_iter()
        .enumerate()
    {
        ai.push(Script::silent_after("one two"));
        let asked = with(respond_to(&format!("{n}?")), more.clone());
        let asking = tokio::spawn(shop(&app).creating(&asked).send());
        let response = asking.await.expect("asked").expect("a response");
        let answer = response.headers()["x-sophie-answer"].to_str().expect("a name").to_owned();
        let id = format!("resp_{answer}");
        ai.wait_calls(n + 1, SOON).await;
        let since = Instant::now();
        let stopped = shop(&app).cancel(&id).await;
        assert_eq!((stopped.status, &stopped.json()["status"]), (200, &json!("cancelled")), "{stopped:?}");
        assert_eq!(stopped.json()["incomplete_details"], Value::Null);
        ai.wait_cancelled(n, SOON).await;
        // At once, not when nobody has read it for half a minute: the rest is for a machine that pauses.
        assert!(since.elapsed() < Duration::from_secs(8), "{:?}", since.elapsed());
        assert_eq!(shop(&app).cancel(&id).await.json(), stopped.json(), "again");
        assert_eq!(shop(&app).get(&id).await.json(), stopped.json());
        let told = shop(&app).events_after(&id, None).await;
        let last = told.last().expect("an end");
        assert_eq!((&last["type"], &last["response"]), (&json!("response.incomplete"), &stopped.json()));
        if more["stream"] == true {
            let body = response.text().await.expect("to its end");
            assert!(body.contains("response.incomplete"), "{body}");
        }
    }
    ai.push(Script::answer("Through."));
    let through = shop(&app).create(&respond_to("through?")).await.json();
    assert_eq!(shop(&app).cancel(id(&through)).await.json(), through, "one that is through stays so");
}

async fn a_deleted_response_is_known_to_nobody(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    ai.push(Script::answer("Through."));
    let through = shop(&app).create(&respond_to("?")).await.json();
    ai.push(Script::silent_after("one two"));
    let running = shop(&app).create(&with(respond_to("running?"), json!({"background": true}))).await.json();
    for response in [&through, &running] {
        let deleted = shop(&app).delete(id(response)).await;
        assert_eq!(
            (deleted.status, deleted.json()),
            (200, json!({"id": id(response), "object": "response", "deleted": true}))
        );
        let expected = json!({"message": format!("Response with id '{}' not found.", id(response)), "type": "invalid_request_error", "param": null, "code": null});
        for reply in [
            shop(&app).get(id(response)).await,
            shop(&app).cancel(id(response)).await,
            shop(&app).delete(id(response)).await,
            shop(&app).get(&format!("{}/input_items", id(response))).await,
            shop(&app).get(&format!("{}?stream=true", id(response))).await,
        ] {
            assert_eq!((reply.status, reply.error()), (404, expected.clone()));
        }
        let answer = id(response).strip_prefix("resp_").expect("an answer");
        assert_eq!(
            app.request("GET", &format!("/ds/answers/{answer}")).send().await.expect("a response").status(),
            404
        );
    }
    ai.wait_cancelled(1, SOON).await;
}

async fn what_was_asked_is_listed_a_page_at_a_time_with_what_was_said_before(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    ai.set_default(|| Script::answer("Yes."));
    let first = shop(&app).create(&respond_to("One?")).await.json();
    let more = json!({"previous_response_id": id(&first), "instructions": "Be kind.",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "Two?"}]}]});
    let second = shop(&app).create(&with(respond_to(""), more)).await.json();
    let list = shop(&app).get(&format!("{}/input_items?order=asc", id(&second))).await.json();
    let said: Vec<(&str, &str)> = list["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| (item["role"].as_str().expect("a role"), item["content"][0]["text"].as_str().expect("a text")))
        .collect();
    assert_eq!(said, [("user", "One?"), ("assistant", "Yes."), ("user", "Two?")]);
    assert_eq!((&list["object"], &list["has_more"]), (&json!("list"), &json!(false)));
    assert_eq!((&list["first_id"], &list["last_id"]), (&list["data"][0]["id"], &list["data"][2]["id"]));
    let newest = shop(&app).get(&format!("{}/input_items?limit=1", id(&second))).await.json();
    assert_eq!((&newest["data"][0], &newest["has_more"]), (&list["data"][2], &json!(true)));
    let rest = shop(&app)
        .get(&format!("{}/input_items?after={}", id(&second), newest["last_id"].as_str().expect("an id")))
        .await
        .json();
    assert_eq!(rest["data"], json!([list["data"][1], list["data"][0]]));
    let refused = shop(&app).get(&format!("{}/input_items?limit=0", id(&second))).await;
    assert_eq!((refused.status, refused.error()["param"].as_str()), (400, Some("limit")));
}

async fn a_conversation_is_no_longer_than_a_request_may_be(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[("SOPHIE__SERVER__MAX_BODY_BYTES", "4096")]).await;
    ai.set_default(|| Script::answer("Yes."));
    let long = "long ".repeat(500);
    let first = shop(&app).create(&respond_to(&long)).await.json();
    let more = with(respond_to("And?"), json!({"previous_response_id": id(&first)}));
    assert_eq!(shop(&app).create(&more).await.status, 200);
    let much = with(respond_to(&long), json!({"previous_response_id": id(&first)}));
    let refused = shop(&app).create(&much).await;
    assert_eq!((refused.status, refused.error()["param"].as_str()), (413, Some("previous_response_id")));
    assert_eq!(refused.error()["code"], "request_too_large");
    assert_eq!(ai.calls(), 2);
}

async fn somebody_elses_response_is_one_that_never_was(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[KEYS]).await;
    ai.set_default(|| Script::answer("Mine."));
    let mine = shop(&app).create(&respond_to("?")).await.json();
    let lab = Responses { app: &app, key: "key-of-the-lab" };
    for path in [id(&mine).to_owned(), format!("{}?stream=true", id(&mine)), format!("{}/input_items", id(&mine))] {
        let refused = lab.get(&path).await;
        let message = format!("Response with id '{}' not found.", id(&mine));
        assert_eq!((refused.status, refused.error()["message"].as_str()), (404, Some(&*message)));
    }
    assert_eq!((lab.cancel(id(&mine)).await.status, lab.delete(id(&mine)).await.status), (404, 404));
    let previous = lab.create(&with(respond_to("?"), json!({"previous_response_id": id(&mine)}))).await;
    assert_eq!(previous.error()["code"], "previous_response_not_found");
    let item = mine["output"][0]["id"].clone();
    let named = lab.create(&with(respond_to(""), json!({"input": [{"type": "item_reference", "id": item}]}))).await;
    assert_eq!(named.error()["param"], "input[0].id");
    assert_eq!(shop(&app).get(id(&mine)).await.json(), mine);
    // Nor is what is kept beside it.
    for beside in [":windows", "*", "%00", "%0d%0a", &"a".repeat(5_000)] {
        assert_eq!(shop(&app).get(&format!("{}{beside}", id(&mine))).await.status, 404, "{beside}");
        let answer = id(&mine).trim_start_matches("resp_");
        let stream = app.request("GET", &format!("/ds/answers/{answer}{beside}")).send().await.expect("a response");
        assert_eq!(stream.status(), 404, "{beside}");
    }
    // An answer of another kind is no response, whosever it is.
    let chat = json!({"model": "test-model", "messages": [{"role": "user", "content": "?"}]});
    let chat = app
        .request("POST", "/v1/chat/completions")
        .bearer_auth("key-of-the-shop")
        .header("x-sophie-resume", "1")
        .json(&chat);
    let answer =
        chat.send().await.expect("a response").headers()["x-sophie-answer"].to_str().expect("a name").to_owned();
    assert_eq!(shop(&app).get(&format!("resp_{answer}")).await.status, 404);
}
