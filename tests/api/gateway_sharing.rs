//! Which answers to applications are kept and shared: those that are fixed by the request, or asked for by a header.

use futures_util::future::join_all;
use serde_json::{Value, json};
use sophie_kit::ai_server::Script;

use crate::support::{Mode, Reply, SOON, TestApp, eventually, of_chats, question, start_with_ai};

in_both_modes!(
    an_answer_that_was_drawn_by_lot_is_nobody_elses,
    an_answer_that_the_request_fixes_or_asks_for_is_kept,
    a_kept_answer_is_as_young_as_the_request_says,
);

async fn ask(app: &TestApp, body: &Value, header: Option<(&str, &str)>) -> Reply {
    let request = app.request("POST", "/v1/chat/completions").json(body);
    Reply::to(header.into_iter().fold(request, |request, (name, value)| request.header(name, value))).await
}

async fn an_answer_that_was_drawn_by_lot_is_nobody_elses(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    // Best of five at once, and once more, as a retry asks.
    let drawn = of_chats(question("drawn?"));
    let answers = join_all((0..5).map(|_| Reply::ask(&app, &drawn))).await;
    assert!(answers.iter().all(|reply| reply.header("x-sophie-cache") == "bypass"), "{answers:?}");
    assert_eq!(Reply::ask(&app, &drawn).await.header("x-sophie-cache"), "bypass");
    assert_eq!(ai.calls(), 6);
    let mut warm = question("warm?");
    warm["temperature"] = json!(0.7);
    for _ in 0..2 {
        assert_eq!(Reply::ask(&app, &warm).await.header("x-sophie-cache"), "bypass");
    }
    assert_eq!(ai.calls(), 8);
}

async fn an_answer_that_the_request_fixes_or_asks_for_is_kept(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    let seeded = {
        let mut body = of_chats(question("seeded?"));
        body["seed"] = 7.into();
        body
    };
    let ttl = Some(("x-sophie-cache-ttl", "60"));
    let young = Some(("cache-control", "max-age=60"));
    let cases = [
        (seeded, None),
        (of_chats(question("ttl?")), ttl),
        (of_chats(question("young?")), young),
        (question("cold?"), None),
    ];
    for (at, (body, header)) in cases.iter().enumerate() {
        assert_eq!(ask(&app, body, *header).await.header("x-sophie-cache"), "miss", "{body}");
        eventually("kept", SOON, async || {
            let reply = ask(&app, body, *header).await;
            (reply.header("x-sophie-cache") == "hit").then_some(())
        })
        .await;
        assert_eq!(ai.calls(), at + 1, "{body}");
    }
    // Who does not ask for the kept one gets another.
    assert_eq!(Reply::ask(&app, &of_chats(question("ttl?"))).await.header("x-sophie-cache"), "bypass");
    assert_eq!(ai.calls(), cases.len() + 1);
}

async fn a_kept_answer_is_as_young_as_the_request_says(mode: Mode) {
    let (ai, app) = start_with_ai(mode, &[]).await;
    assert_eq!(Reply::ask(&app, &question("old?")).await.header("x-sophie-cache"), "miss");
    Reply::kept(&app, &question("old?")).await;
    eventually("two seconds old", SOON, async || {
        let reply = Reply::ask(&app, &question("old?")).await;
        (reply.header("age").parse::<u64>().is_ok_and(|age| age >= 2)).then_some(())
    })
    .await;
    assert_eq!(
        ask(&app, &question("old?"), Some(("cache-control", "max-age=600"))).await.header("x-sophie-cache"),
        "hit"
    );
    assert_eq!(
        ask(&app, &question("old?"), Some(("cache-control", "max-age=1"))).await.header("x-sophie-cache"),
        "miss"
    );
    assert_eq!(ai.calls(), 2);
}

#[tokio::test]
async fn the_setting_has_the_last_word() {
    let (ai, app) = start_with_ai(Mode::Memory, &[("SOPHIE__CACHE__HTTP", "never")]).await;
    for _ in 0..2 {
        let reply = ask(&app, &question("?"), Some(("x-sophie-cache-ttl", "60"))).await;
        assert_eq!(reply.header("x-sophie-cache"), "bypass");
    }
    assert_eq!(ai.calls(), 2);
    let (ai, app) = start_with_ai(Mode::Memory, &[("SOPHIE__CACHE__HTTP", "always")]).await;
    ai.push(Script::answer("Kept."));
    let drawn = of_chats(question("?"));
    assert_eq!(Reply::ask(&app, &drawn).await.header("x-sophie-cache"), "miss");
    Reply::kept(&app, &drawn).await;
    assert_eq!(ai.calls(), 1);
}
