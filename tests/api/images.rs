//! Images in messages: kept, told to all, shown to the model, and refused where they may not be.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sophie_kit::ai_server::Script;

use crate::support::{Answer, Mode, Reply, TestApp, start_with_ai};

in_both_modes!(
    an_image_is_kept_told_to_all_and_shown_to_the_model_now_and_later,
    an_image_that_may_not_be_sent_is_refused_and_nothing_is_logged,
    a_message_with_images_is_said_once_and_asked_again_with_them,
    images_that_come_by_other_protocols_are_kept_as_well,
);

const ON: [(&str, &str); 3] = [
    ("SOPHIE__AI__IMAGES", "true"),
    ("SOPHIE__SESSION__MAX_IMAGES", "2"),
    ("SOPHIE__SESSION__MAX_IMAGE_BYTES", "200000"),
];

/// A PNG of so many bytes, as far as its beginning tells.
fn png(bytes: usize) -> String {
    let mut data = b"\x89PNG\r\n\x1a\n".to_vec();
    data.resize(bytes, 7);
    format!("data:image/png;base64,{}", STANDARD.encode(data))
}

fn send(text: &str, images: &Value) -> Value {
    json!({"type": "message.send", "text": text, "images": images})
}

async fn an_image_is_kept_told_to_all_and_shown_to_the_model_now_and_later(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &ON).await;
    let (mut alice, mut bob) = (app.open("alice").await, app.open("bob").await);
    for socket in [&mut alice, &mut bob] {
        assert_eq!(socket.ask("j", json!({"type": "group.join", "group": "team"})).await["type"], "ack");
    }
    // As large as they may be: the frame has room for both.
    let images = json!([{"url": png(200_000), "name": "a cat"}, {"url": png(200_000)}]);
    let mut question = send("What is it?", &images);
    question["group"] = "team".into();
    let ack = alice.ask("1", question).await;
    assert_eq!(ack["type"], "ack", "{ack}");
    for socket in [&mut alice, &mut bob] {
        let said = socket.event_of("message").await;
        assert_eq!((&said["message"]["images"], &said["message"]["text"]), (&images, &json!("What is it?")));
        assert_eq!(Answer::of(socket, &ack["message"]).await.end["type"], "answer.end");
    }
    let part = |url: &Value| json!({"type": "image_url", "image_url": {"url": url}});
    let (one, other) = (part(&images[0]["url"]), part(&images[1]["url"]));
    let content = json!([{"type": "text", "text": "What is it?"}, one, other]);
    let asked = ai.call(0).body["messages"].clone();
    assert_eq!(asked.as_array().and_then(|all| all.last()), Some(&json!({"role": "user", "content": content})));
    alice.ask("2", json!({"type": "message.send", "group": "team", "text": "And its colour?"})).await;
    alice.event_of("answer.end").await;
    assert!(ai.call(1).body["messages"].as_array().expect("messages").iter().any(|it| it["content"] == content));
    let history = bob.ask("h", json!({"type": "history.get", "group": "team", "before": 2})).await;
    assert_eq!(history["events"][0]["message"]["images"], images);
}

async fn an_image_that_may_not_be_sent_is_refused_and_nothing_is_logged(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &ON).await;
    let mut socket = app.open("s1").await;
    let jpeg = png(100).replace("image/png", "image/jpeg");
    let svg = format!("data:image/svg+xml;base64,{}", STANDARD.encode("<svg onload='alert(1)'/>"));
    for (images, code) in [
        (json!([{"url": png(200_001)}]), "too_large"),
        (json!([{"url": png(9)}, {"url": png(9)}, {"url": png(9)}]), "too_large"),
        (json!([{"url": jpeg}]), "bad_request"),
        (json!([{"url": svg}]), "bad_request"),
        (json!([{"url": "https://example.org/a.png"}]), "bad_request"),
        (json!([{"url": "http://169.254.169.254/latest"}]), "bad_request"),
        (json!([{"url": png(9), "name": "n".repeat(201)}]), "bad_request"),
        (json!("a.png"), "bad_request"),
    ] {
        let refused = socket.ask("1", send("?", &images)).await;
        assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!(code)), "{refused}");
    }
    assert_eq!((app.open("s1").await.ready["seq"].clone(), ai.calls()), (json!(0), 0));
    // Where images are off, which is how it comes, nothing of them is asked of anybody.
    let (_ai, app) = start_with_ai(mode, &[]).await;
    let refused = app.open("s1").await.ask("1", send("?", &json!([{"url": png(9)}]))).await;
    assert_eq!((&refused["code"], refused["message"].as_str().is_some()), (&json!("not_allowed"), true), "{refused}");
    let told = |app: &TestApp| Reply::to(app.request("GET", "/page/config.json"));
    assert_eq!(told(&app).await.json()["max_images"], 0);
}

async fn a_message_with_images_is_said_once_and_asked_again_with_them(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &ON).await;
    let mut socket = app.open("s1").await;
    let images = json!([{"url": png(50)}]);
    let first = socket.ask("1", send("?", &images)).await;
    let answer = Answer::of(&mut socket, &first["message"]).await;
    let again = socket.ask("1", send("?", &images)).await;
    assert_eq!((&again["type"], &again["message"]), (&json!("ack"), &first["message"]));
    let other = socket.ask("1", send("?", &json!([{"url": png(51)}]))).await;
    assert_eq!(other["code"], "bad_request", "another image is another message: {other}");
    ai.push(Script::answer("Looked again."));
    let retry = json!({"type": "answer.retry", "message": answer.start["message"]});
    assert_eq!(socket.ask("2", retry).await["type"], "ack");
    assert_eq!(Answer::of(&mut socket, &first["message"]).await.text, "Looked again.");
    assert_eq!(ai.call(1).body["messages"], ai.call(0).body["messages"]);
}

async fn images_that_come_by_other_protocols_are_kept_as_well(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &ON).await;
    let (small, large) = (png(60), png(200_001));
    let file = |url: &str| json!({"type": "file", "mediaType": "image/png", "url": url});
    let say = async |text: &str, files: Vec<Value>| {
        let parts: Vec<_> = std::iter::once(json!({"type": "text", "text": text})).chain(files).collect();
        let message = json!({"id": text, "role": "user", "parts": parts});
        let body = json!({"id": "s1", "messages": [message], "trigger": "submit-message"});
        let told = Reply::to(app.request("POST", "/api/chat").json(&body)).await;
        assert_eq!(told.status, 200, "{}", told.text);
    };
    // What is larger than the log may keep goes to the model all the same, once.
    say("one", vec![file(&small), file(&large)]).await;
    say("two", Vec::new()).await;
    let images = |call: usize| {
        let messages = ai.call(call).body["messages"].clone();
        let parts =
            messages.as_array().into_iter().flatten().filter_map(|it| it["content"].as_array().cloned()).flatten();
        parts.filter_map(|part| part["image_url"]["url"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!((images(0), images(1)), (vec![small.clone(), large], vec![small.clone()]));
    let told = Reply::to(app.request("GET", "/api/chat/s1/messages")).await.json();
    assert_eq!(told[0]["parts"], json!([{"type": "text", "text": "one"}, file(&small)]), "{told}");

    let data = small.split_once(',').expect("data").1;
    let content = json!([{"type": "text", "text": "one"}, {"type": "image", "source": {"type": "data", "value": data, "mimeType": "image/png"}}]);
    let body = json!({
        "threadId": "s2", "runId": "r1", "state": {}, "tools": [], "context": [], "forwardedProps": {},
        "messages": [{"id": "m1", "role": "user", "content": content}],
    });
    let told = Reply::to(app.request("POST", "/ag-ui").json(&body)).await;
    assert_eq!(told.status, 200, "{}", told.text);
    let history = app.open("s2").await.ask("h", json!({"type": "history.get"})).await;
    assert_eq!(history["events"][0]["message"]["images"], json!([{"url": small}]), "{history}");
}
