//! What `/metrics` tells, beside what the documents say of it.

use std::collections::BTreeMap;

use sophie_kit::ai_server::Script;

use crate::support::{Mode, Reply, TestApp, question, start_with_ai};

const DOCUMENT: &str = include_str!("../../docs/operations.md");

/// Families whose series appear with the first request: callers and settings choose their labels.
const LATER: [&str; 8] = [
    "gen_ai_client_operation_duration_seconds",
    "gen_ai_client_token_usage",
    "gen_ai_server_time_per_output_token_seconds",
    "gen_ai_server_time_to_first_token_seconds",
    "sophie_backend_first_chunk_seconds",
    "sophie_cost_saved_total",
    "sophie_cost_total",
    "sophie_tokens_total",
];
/// Families whose labels are lists of other documents.
const LISTED_ELSEWHERE: [&str; 4] =
    ["sophie_closes_total", "sophie_commands_total", "sophie_connects_total", "sophie_errors_total"];

async fn text(app: &TestApp) -> String {
    Reply::to(app.request("GET", "/metrics")).await.text
}

/// The rows of the table: each family with its type and its row.
fn documented() -> BTreeMap<&'static str, (&'static str, &'static str)> {
    let rows = DOCUMENT.lines().filter(|line| line.starts_with("| `sophie_") || line.starts_with("| `gen_ai_"));
    let families = |row: &'static str| {
        let cells: Vec<&str> = row.split(" | ").collect();
        cells[0].split('`').skip(1).step_by(2).map(move |name| (name, (cells[1], row)))
    };
    rows.flat_map(families).collect()
}

/// The families that are told, with their type.
fn told(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect()
}

#[actix_web::test]
async fn what_is_told_at_the_start_is_what_the_documents_say() {
    let (_ai, app) = start_with_ai(Mode::Redis, &[]).await;
    let text = text(&app).await;
    let (told, documented) = (told(&text), documented());
    for (name, (kind, _)) in &documented {
        let is_later = LATER.contains(name);
        assert_eq!(told.get(name).copied(), (!is_later).then_some(*kind), "{name} is documented");
    }
    for name in told.keys().filter(|name| !name.starts_with("process_")) {
        assert!(documented.contains_key(name), "{name} is not documented");
    }
    for name in ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds"] {
        assert!(told.contains_key(name), "{name} is there");
    }
    let version = format!("sophie_build_info{{revision=\"\",version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version), "{text}");
}

#[actix_web::test]
async fn what_is_counted_by_a_label_stands_at_0_with_each_value_that_the_documents_name() {
    let (_ai, app) = start_with_ai(Mode::Memory, &[]).await;
    let text = text(&app).await;
    for (name, (_, row)) in documented().iter().filter(|(_, (kind, _))| *kind == "counter") {
        let series = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{')?.split_once("} "));
        for (labels, value) in series {
            // The requests of this test itself.
            assert!(value == "0" || *name == "sophie_http_requests_total", "{name}{{{labels}}} {value}");
            let last = labels.split('"').rev().nth(1).expect("a value");
            let is_named = row.contains(&format!("`{last}`")) || LISTED_ELSEWHERE.contains(name);
            assert!(is_named || *name == "sophie_http_requests_total", "{last} is not in the row of {name}");
        }
        let labelled = row.split(" | ").nth(2).is_some_and(|labels| labels.contains('`'));
        let begins = text.contains(&format!("\n{name}{{"));
        assert_eq!(begins, labelled && !LATER.contains(name), "{name} has series from the start");
    }
}

#[actix_web::test]
async fn a_request_to_a_backend_is_told_as_open_telemetry_names_it() {
    let (ai, app) = start_with_ai(Mode::Redis, &[]).await;
    ai.push(Script::answer("one two three four five"));
    assert_eq!(Reply::ask(&app, &question("?")).await.status, 200);
    ai.push(Script::refusal(500, "", "", &[]));
    assert_ne!(Reply::ask(&app, &question("again?")).await.status, 200);
    let labels = |more: &str| {
        let model = r#"gen_ai_provider_name="openai",gen_ai_request_model="test-model""#;
        match more.strip_prefix("error_type") {
            Some(_) => format!(r#"{{backend="openai",{more},gen_ai_operation_name="chat",{model}}}"#),
            None => format!(r#"{{backend="openai",gen_ai_operation_name="chat",{model}{more}}}"#),
        }
    };
    for (series, value) in [
        (format!("gen_ai_server_time_to_first_token_seconds_count{}", labels("")), 1.0),
        (format!("gen_ai_server_time_per_output_token_seconds_count{}", labels("")), 1.0),
        (format!("gen_ai_client_operation_duration_seconds_count{}", labels(r#"error_type="""#)), 1.0),
        (format!("gen_ai_client_operation_duration_seconds_count{}", labels(r#"error_type="failed""#)), 1.0),
        (format!("gen_ai_client_token_usage_sum{}", labels(r#",gen_ai_token_type="input""#)), 7.0),
        (format!("gen_ai_client_token_usage_sum{}", labels(r#",gen_ai_token_type="output""#)), 5.0),
        (r#"sophie_backend_requests_total{backend="openai",outcome="failed"}"#.to_owned(), 1.0),
    ] {
        assert_eq!(app.figure(&series), value, "{series}");
    }
    let before = app.figure("sophie_append_seconds_count");
    app.open("alice")
        .await
        .ask("1", serde_json::json!({"type": "message.send", "text": "hi", "assistant": false}))
        .await;
    assert_eq!(app.figure("sophie_append_seconds_count"), before + 1.0);
    assert!(app.figure(r#"sophie_redis_seconds_count{database="main"}"#) > 1.0);
}
