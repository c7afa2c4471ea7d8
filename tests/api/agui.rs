//! Runs of AG-UI: told as they are written, joined and gone on with at any node, ended once.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use sophie::app::Replacements;
use sophie_kit::ai_server::{AiServer, Script};
use sophie_kit::faults::{self, Fault};
use sophie_kit::stores::memory_options;
use tokio::time::timeout;

use crate::support::agui::{get, known, post, read, run, say, text, told};
use crate::support::{Mode, Pair, SOON, TestApp, eventually};

const TEXT: &str = "Words, märchenhaft\r\nschön.";

#[tokio::test]
async fn a_run_is_told_in_the_order_of_the_protocol_and_the_same_run_is_told_alike_anywhere() {
    let Pair { ai, nodes, .. } = &Pair::start(&[]).await;
    ai.push(Script::slow_answer(TEXT, Duration::from_millis(10)));
    let mut socket = nodes[1].open("t1").await;
    let response = post(&nodes[0], &run("t1", "r1", "Tell me.")).await;
    let answer = response.headers()["x-sophie-answer"].to_str().expect("a text").to_owned();
    let events = told(response).await;
    let ids: Vec<&str> = events.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, (0..events.len()).map(|n| format!("r1:{n}")).collect::<Vec<_>>());
    let (first, last) = (&events[0].1, &events.last().expect("an event").1);
    assert_eq!(*first, json!({"type": "RUN_STARTED", "threadId": "t1", "runId": "r1", "protocolVersion": "1.0"}));
    assert_eq!(events[1].1, json!({"type": "TEXT_MESSAGE_START", "messageId": answer, "role": "assistant"}));
    assert_eq!(text(&events), TEXT);
    assert_eq!((&last["type"], &last["outcome"]), (&json!("RUN_FINISHED"), &json!({"type": "success"})));
    assert_eq!((&last["usage"][0]["inputTokens"], &last["usage"][0]["model"]), (&json!(7), &json!("gpt-4o-mini")));
    let end = socket.event_of("answer.end").await;
    assert_eq!((&end["answer"], &end["text"]), (&json!(answer), &json!(TEXT)), "a thread is a session");
    for node in nodes {
        assert_eq!(told(post(node, &run("t1", "r1", "Tell me.")).await).await, events);
        assert_eq!(told(get(node, "/ag-ui/threads/t1/runs/r1").await).await, events);
    }
    assert_eq!(ai.calls(), 1);
}

#[tokio::test]
async fn who_was_cut_off_goes_on_behind_the_last_event_that_they_have_at_either_node() {
    let Pair { ai, nodes, .. } = &Pair::start(&[]).await;
    ai.push(Script::slow_answer(TEXT, Duration::from_millis(100)));
    let mut first = post(&nodes[0], &run("t1", "r1", "Tell me.")).await.bytes_stream();
    _ = timeout(SOON, first.next()).await.expect("in time").expect("a piece");
    drop(first);
    let joined = join_all(nodes.iter().map(async |node| told(get(node, "/ag-ui/threads/t1/runs/r1").await).await));
    let events = joined.await;
    assert_eq!((text(&events[0]), &events[0]), (TEXT.to_owned(), &events[1]), "it goes on without its reader");
    for (n, (id, _)) in events[0].iter().enumerate() {
        let request = nodes[n % 2].request("GET", "/ag-ui/threads/t1/runs/r1").header("last-event-id", id);
        let rest = request.send().await.expect("a response");
        match n + 1 < events[0].len() {
            true => assert_eq!(told(rest).await, events[0][n + 1..], "behind {id}"),
            false => assert_eq!(rest.status(), StatusCode::NO_CONTENT, "there is nothing behind {id}"),
        }
    }
    for bad in ["r1", "r2:0", "r1:x", "r1:-1", ":"] {
        let request = nodes[0].request("GET", "/ag-ui/threads/t1/runs/r1").header("last-event-id", bad);
        assert_eq!(request.send().await.expect("a response").status(), StatusCode::BAD_REQUEST, "{bad}");
    }
    assert_eq!(ai.calls(), 1);
}

#[tokio::test]
async fn a_long_run_is_told_whole_to_who_comes_late_and_from_its_middle() {
    let Pair { ai, nodes, .. } = &Pair::start(&[]).await;
    let long: String = (0..3_000).map(|number| format!("word{number} ")).collect();
    ai.push(Script::answer(&long));
    assert_eq!(text(&told(post(&nodes[0], &run("t1", "r1", "Tell me.")).await).await), long);
    let events = told(get(&nodes[1], "/ag-ui/threads/t1/runs/r1").await).await;
    assert_eq!(text(&events), long);
    let (middle, _) = &events[events.len() / 2];
    let rest = nodes[1].request("GET", "/ag-ui/threads/t1/runs/r1").header("last-event-id", middle).send();
    assert_eq!(told(rest.await.expect("a response")).await, events[events.len() / 2 + 1..]);
}

#[tokio::test]
async fn a_run_that_many_post_at_once_at_both_nodes_is_asked_for_once() {
    let Pair { ai, nodes, .. } = &Pair::start(&[]).await;
    ai.push(Script::slow_answer(TEXT, Duration::from_millis(20)));
    let runs = join_all((0..30).map(async |n| told(post(&nodes[n % 2], &run("t1", "r1", "Tell me.")).await).await));
    let runs = timeout(SOON, runs).await.expect("in time");
    assert!(runs.iter().all(|events| *events == runs[0] && text(events) == TEXT));
    assert_eq!(ai.calls(), 1);
    let log = nodes[1].request("GET", "/ds/groups/chat_t1").send().await.expect("a response");
    let log = log.json::<Vec<Value>>().await.expect("an array");
    assert_eq!(log.iter().filter(|event| event["type"] == "message").count(), 1, "{log:?}");
}

#[tokio::test]
async fn of_many_runs_that_come_at_once_to_one_thread_one_is_begun() {
    let Pair { ai, nodes, .. } = &Pair::start(&[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let runs = join_all((0..10).map(|n| {
        let body = run("t1", &format!("r{n}"), &format!("Question {n}"));
        async move { post(&nodes[n % 2], &body).await }
    }));
    let runs = timeout(SOON, runs).await.expect("in time");
    let (begun, busy): (Vec<_>, Vec<_>) =
        runs.into_iter().partition(|response| response.headers().contains_key("x-sophie-answer"));
    for response in busy {
        assert_eq!(read(response).await.last().expect("an event").1["code"], "busy");
    }
    gate.word("One");
    gate.finish();
    assert_eq!(begun.len(), 1);
    for response in begun {
        assert_eq!(text(&told(response).await), "One");
    }
    assert_eq!(ai.calls(), 1);
}

#[tokio::test]
async fn a_client_that_has_half_of_the_answer_is_told_its_messages_without_it() {
    let Pair { ai, nodes, .. } = &Pair::start(&[]).await;
    ai.push(Script::answer(TEXT));
    let mut body = run("t1", "r1", "Tell me.");
    let response = post(&nodes[0], &body).await;
    let answer = response.headers()["x-sophie-answer"].to_str().expect("a text").to_owned();
    let whole = told(response).await;
    let question = body["messages"][0].clone();
    body["messages"].as_array_mut().expect("a list").push(json!({"id": answer, "role": "assistant", "content": "Wor"}));
    let events = read(post(&nodes[1], &body).await).await;
    let snapshot = (None, json!({"type": "MESSAGES_SNAPSHOT", "messages": [question]}));
    assert_eq!(events[1], snapshot, "it is no event of the run, and has no id");
    let others: Vec<_> = events.into_iter().filter_map(|(id, event)| Some((id?, event))).collect();
    assert_eq!(others, whole);
}

#[tokio::test]
async fn another_question_under_a_run_is_a_conflict_and_another_run_meanwhile_is_told_to_wait() {
    let Pair { ai, nodes, .. } = &Pair::start(&[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let first = post(&nodes[0], &run("t1", "r1", "Tell me.")).await;
    gate.word("One");
    let other = post(&nodes[1], &run("t1", "r1", "Something else.")).await;
    assert_eq!(other.status(), StatusCode::CONFLICT);
    assert_eq!(other.json::<Value>().await.expect("JSON")["error"]["code"], "conflict");
    let busy: Vec<Value> =
        read(post(&nodes[1], &run("t1", "r2", "And now?")).await).await.into_iter().map(|(_, event)| event).collect();
    assert_eq!(busy[0]["type"], "RUN_STARTED");
    assert_eq!((busy.len(), &busy[1]["type"], &busy[1]["code"]), (2, &json!("RUN_ERROR"), &json!("busy")));
    let active = get(&nodes[1], "/ag-ui/threads/t1").await.json::<Value>().await.expect("JSON");
    assert_eq!((&active["threadId"], &active["runId"]), (&json!("t1"), &json!("r1")));
    let events = nodes[1].request("GET", "/ag-ui/threads/t1").header("accept", "text/event-stream").send();
    let events = events.await.expect("a response");
    gate.finish();
    let first = told(first).await;
    assert_eq!((text(&first), &told(events).await), ("One".to_owned(), &first));
    // At once, though the end may not be in the log yet.
    ai.push(Script::answer("Two"));
    assert_eq!(text(&told(post(&nodes[1], &run("t1", "r2", "And now?")).await).await), "Two");
    eventually("nothing is under way", SOON, async || {
        (get(&nodes[0], "/ag-ui/threads/t1").await.status() == StatusCode::NO_CONTENT).then_some(())
    })
    .await;
    assert_eq!(ai.calls(), 2);
}

#[tokio::test]
async fn the_same_question_in_another_run_is_answered_anew_and_said_once() {
    let Pair { ai, nodes, .. } = &Pair::start(&[]).await;
    ai.push(Script::answer("One"));
    ai.push(Script::answer("Two"));
    let mut again = run("t1", "r2", "Tell me.");
    again["messages"] = run("t1", "r1", "Tell me.")["messages"].clone();
    assert_eq!(text(&told(post(&nodes[0], &run("t1", "r1", "Tell me.")).await).await), "One");
    assert_eq!(text(&told(post(&nodes[1], &again).await).await), "Two");
    assert_eq!(text(&told(get(&nodes[1], "/ag-ui/threads/t1/runs/r1").await).await), "One");
    let log = nodes[1].request("GET", "/ds/groups/chat_t1").send().await.expect("a response");
    let log = log.json::<Vec<Value>>().await.expect("an array");
    assert_eq!(log.iter().filter(|event| event["type"] == "message").count(), 1, "{log:?}");
}

#[tokio::test]
async fn a_run_whose_store_failed_in_the_middle_is_asked_for_once_when_it_is_posted_again() {
    let (stores, faults) = faults::stores(memory_options());
    let ai = AiServer::start().await;
    ai.push(Script::answer("One"));
    let replacements = Replacements { stores: Some(stores), ..Replacements::default() };
    let app = TestApp::start_with(Mode::Memory, &ai.environment(), replacements).await;
    // It is logged, and its asker does not learn of it.
    faults.set("append", Fault::ReplyLost);
    assert_eq!(post(&app, &run("t1", "r1", "Tell me.")).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    faults.lift("append");
    assert_eq!(text(&told(post(&app, &run("t1", "r1", "Tell me.")).await).await), "One");
    let log = eventually("the end is logged", SOON, async || {
        let log = get(&app, "/ds/groups/chat_t1").await.json::<Vec<Value>>().await.expect("an array");
        (log.len() > 1).then_some(log)
    });
    let log = log.await;
    let kinds: Vec<_> = log.iter().map(|event| event["type"].as_str().expect("a type")).collect();
    assert_eq!(kinds, ["message", "answer.end"]);
    // The answer that the question is owed, of which else nothing would come.
    let owed = log[0]["message"]["id"].as_str().and_then(|id| id[1..].split('-').next());
    assert_eq!(log[1]["answer"].as_str().map(|id| &id[1..]), owed);
    assert_eq!(ai.calls(), 1);
}

#[tokio::test]
async fn a_run_is_cancelled_from_anywhere_and_ends_as_that() {
    let Pair { ai, nodes, .. } = &Pair::start(&[("SOPHIE__AUTH__API_KEYS", "site:sk-site")]).await;
    let cancel = async |node: usize, run: &str| {
        let request = nodes[node].request("POST", &format!("/ag-ui/threads/t1/runs/{run}/cancel"));
        request.bearer_auth("sk-site").send().await.expect("a response")
    };
    ai.push(Script::slow_answer(&"more ".repeat(500), Duration::from_millis(50)));
    let response = post(&nodes[0], &run("t1", "r1", "Tell me.")).await;
    assert_eq!(cancel(1, "r1").await.status(), StatusCode::ACCEPTED);
    let events = told(response).await;
    let last = &events.last().expect("an event").1;
    assert_eq!((&last["type"], &last["outcome"]), (&json!("RUN_FINISHED"), &json!({"type": "cancelled"})));
    assert_eq!(cancel(0, "r1").await.status(), StatusCode::ACCEPTED, "it stays as it is");
    assert_eq!(cancel(0, "never").await.status(), StatusCode::NOT_FOUND);
    ai.wait_cancelled(0, SOON).await;
}

#[tokio::test]
async fn what_was_asked_for_elsewhere_in_the_chat_is_a_run_of_its_own_name() {
    let Pair { ai, nodes, .. } = &Pair::start(&[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let mut socket = nodes[0].open("t1").await;
    let answer = say(&mut socket).await;
    gate.word("One");
    let active = eventually("it is under way", SOON, async || {
        let response = get(&nodes[1], "/ag-ui/threads/t1").await;
        (response.status() == StatusCode::OK).then_some(response)
    });
    assert_eq!(active.await.json::<Value>().await.expect("JSON")["runId"], answer);
    let response = get(&nodes[1], &format!("/ag-ui/threads/t1/runs/{answer}")).await;
    gate.finish();
    let events = told(response).await;
    assert_eq!((text(&events), &events[0].1["runId"]), ("One".to_owned(), &json!(answer)));
    let elsewhere = get(&nodes[1], &format!("/ag-ui/threads/t2/runs/{answer}")).await;
    assert_eq!(elsewhere.status(), StatusCode::NOT_FOUND, "it is none of that thread");
}

#[tokio::test]
async fn a_node_that_cannot_wait_any_longer_breaks_the_stream_and_the_other_one_goes_on() {
    let Pair { ai, nodes: [first, second], redis: _redis } = Pair::start(&[]).await;
    let (script, gate) = Script::gated();
    ai.push(script);
    let asked: Response = post(&second, &run("t1", "r1", "Tell me.")).await;
    gate.word("One ");
    let cut = get(&first, "/ag-ui/threads/t1/runs/r1").await;
    let (cut, stopped) = tokio::join!(timeout(SOON, known(cut)), tokio::task::spawn_blocking(move || drop(first)));
    stopped.expect("stopped");
    assert!(cut.expect("in time").is_err(), "a run without its end must not look like a whole one");
    gate.word("two");
    gate.finish();
    assert_eq!(text(&told(asked).await), "One two");
}
