//! What answers cost and what was saved, as operators see it.

use serde_json::{Value, json};
use sophie_kit::ai_server::{AiServer, Script};

use crate::support::{Answer, Mode, SOON, TestApp, eventually, start_with_ai};

in_both_modes!(
    spent_saved_and_cancelled_tokens_are_told_apart_by_model_user_and_group,
    the_cache_is_counted_and_purged_by_model,
);

const PRICES: (&str, &str) =
    ("SOPHIE__AI__PRICES", r#"[{"name": "gpt-4o*", "prompt_per_million": 2.5, "completion_per_million": 10}]"#);

async fn start(mode: Mode) -> (AiServer, TestApp) {
    let (ai, app) = start_with_ai(mode, &[PRICES, ("SOPHIE__AI__ABANDON_SECONDS", "1")]).await;
    // The scripted server counts 7 and 5 tokens.
    ai.set_default(|| Script::answer("It is twelve o'clock."));
    (ai, app)
}

async fn usage(app: &TestApp, query: &str) -> Value {
    let (status, body) = app.admin("GET", &format!("/admin/api/usage{query}"), None).await;
    assert_eq!(status, 200, "{body}");
    body
}

/// Waits until so many answers are counted, which is done once what was written is kept: until then who asks the same joins it.
async fn counted(app: &TestApp, answers: u64) {
    eventually("the answers are counted", SOON, async || {
        (usage(app, "").await["total"]["answers"] == answers).then_some(())
    })
    .await;
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn row<'a>(body: &'a Value, name: &str) -> &'a Value {
    let rows = body["rows"].as_array().expect("rows");
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name} in {body}"))
}

async fn spent_saved_and_cancelled_tokens_are_told_apart_by_model_user_and_group(mode: Mode) {
    let (ai, app) = start(mode).await;
    let (mut one, mut two) = (app.open("one").await, app.open("two").await);
    let spent = Answer::to(&mut one, "1", "What time is it?").await.end["usage"].clone();
    counted(&app, 1).await;
    Answer::to(&mut two, "1", "What time is it?").await;
    counted(&app, 2).await;
    let tokens = spent["total_tokens"].as_u64().expect("tokens");

    let body = usage(&app, "").await;
    assert_eq!((&body["by"], &body["currency"]), (&json!("model"), &json!("USD")));
    let model = row(&body, "gpt-4o-mini");
    assert_eq!((&model["answers"], &model["hits"], &model["coalesced"]), (&json!(2), &json!(1), &json!(0)));
    assert_eq!(
        (&model["prompt_tokens"], &model["completion_tokens"]),
        (&spent["prompt_tokens"], &spent["completion_tokens"])
    );
    assert_eq!(model["saved_tokens"], tokens);
    let price = number(&spent["prompt_tokens"]) * 2.5e-6 + number(&spent["completion_tokens"]) * 10e-6;
    assert!((number(&model["cost"]) - price).abs() < 1e-9 && model["saved"] == model["cost"], "{model}");
    let body = usage(&app, "?by=user").await;
    assert_eq!(
        (&row(&body, "guest:one")["saved_tokens"], &row(&body, "guest:two")["saved_tokens"]),
        (&json!(0), &json!(tokens))
    );
    assert_eq!(body["total"]["answers"], 2);
    let body = usage(&app, "?by=group").await;
    assert_eq!(row(&body, "chat_two")["hits"], 1);

    // Nobody waits for the end of a cancelled one.
    let (script, gate) = Script::gated();
    ai.push(script);
    one.insist_on("2", json!({"type": "message.send", "text": "Tell me a long story."})).await;
    gate.word("Once upon a time there was ");
    let answer = one.event_of("answer.delta").await["answer"].clone();
    one.ask("c", json!({"type": "answer.cancel", "answer": answer})).await;
    ai.wait_cancelled(1, SOON).await;
    eventually("the cancelled tokens", SOON, async || {
        let cancelled = row(&usage(&app, "").await, "gpt-4o-mini")["cancelled_tokens"].as_u64();
        cancelled.is_some_and(|tokens| tokens > 0).then_some(())
    })
    .await;
    assert_eq!(row(&usage(&app, "?by=user").await, "guest:two")["cancelled_tokens"], 0);

    for bad in ["?by=day", "?day=today", "?limit=0", "?x=1"] {
        assert_eq!(app.admin("GET", &format!("/admin/api/usage{bad}"), None).await.0, 400, "{bad}");
    }
    assert_eq!(usage(&app, "?day=2001-01-01").await["rows"], json!([]));
}

async fn the_cache_is_counted_and_purged_by_model(mode: Mode) {
    let (ai, app) = start(mode).await;
    for (session, asked) in [("a", 1), ("b", 2), ("c", 3)] {
        Answer::to(&mut app.open(session).await, "1", "What time is it?").await;
        counted(&app, asked).await;
    }
    let shown = eventually("the entry", SOON, async || {
        let (status, shown) = app.admin("GET", "/admin/api/cache", None).await;
        assert_eq!(status, 200, "{shown}");
        (shown["entries"] == 1).then_some(shown)
    })
    .await;
    assert_eq!((&shown["hits"], &shown["misses"], &shown["coalesced"]), (&json!(2), &json!(1), &json!(0)), "{shown}");
    assert!(shown["bytes"].as_u64() > Some(100) && shown["saved_tokens"].as_u64() > Some(0), "{shown}");
    let purge =
        async |query: &str| app.admin("DELETE", &format!("/admin/api/cache{query}"), None).await.1["purged"].clone();
    assert_eq!(purge("?model=other").await, 0);
    assert_eq!(purge("?model=gpt-4o-mini").await, 1);
    Answer::to(&mut app.open("d").await, "1", "What time is it?").await;
    assert_eq!(ai.calls(), 2);
    eventually("the entry to be there again", SOON, async || (purge("").await == 1).then_some(())).await;
}
