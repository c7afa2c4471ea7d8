//! What answers cost, by model, user and group.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::{Value, json};
use sophie_actors::protocol::timestamp;
use sophie_actors::store::{By, Totals, USAGE_MOST};

use super::super::{ApiError, State, json};
use super::{DEFAULT_ROWS, MAX_ROWS};

/// Billionths in one.
const NANOS: f64 = 1e9;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    by: Option<String>,
    day: Option<String>,
    limit: Option<usize>,
}

/// `GET /admin/api/usage?by=model|user|group&day=YYYY-MM-DD&limit=`
pub(super) async fn usage(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let query: Query = json::query(request.query_string())?;
    let by = match query.by.as_deref() {
        None => By::Model,
        Some(text) => By::ALL
            .into_iter()
            .find(|by| by.as_str() == text)
            .ok_or_else(|| ApiError::bad_request("`by` is \"model\", \"user\" or \"group\""))?,
    };
    let limit = match query.limit.unwrap_or(DEFAULT_ROWS) {
        limit @ 1..=MAX_ROWS => limit,
        _ => return Err(ApiError::bad_request(format!("`limit` is 1 to {MAX_ROWS}"))),
    };
    let day = query.day.unwrap_or_else(today);
    let is_day = day.len() == 10
        && day.bytes().enumerate().all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() });
    if !is_day {
        return Err(ApiError::bad_request("`day` is YYYY-MM-DD, in UTC"));
    }
    let node = &state.node;
    node.ledger.flush().await;
    let rows = node.stores.usage.top(&day, by, limit).await?;
    let total = totals(&state, &day).await?;
    let rows: Vec<Value> = rows.iter().map(|(name, totals)| row(Some(name), totals)).collect();
    let currency = &state.policy().currency;
    Ok(HttpResponse::Ok()
        .json(json!({"day": day, "by": by.as_str(), "currency": currency, "rows": rows, "total": row(None, &total)})))
}

/// Today, in UTC.
pub(super) fn today() -> String {
    let now = timestamp();
    now.split_once('T').map_or(now.clone(), |(day, _)| day.to_owned())
}

/// Everything of a day: what was counted by model, since every answer has one.
pub(super) async fn totals(state: &State, day: &str) -> Result<Totals, ApiError> {
    let mut total = Totals::default();
    let models = state.node.stores.usage.top(day, By::Model, USAGE_MOST).await?;
    models.iter().for_each(|(_, totals)| total.add(totals));
    Ok(total)
}

fn row(name: Option<&str>, totals: &Totals) -> Value {
    let mut row = json!({
        "answers": totals.answers,
        "hits": totals.hits,
        "coalesced": totals.coalesced,
        "prompt_tokens": totals.prompt_tokens,
        "completion_tokens": totals.completion_tokens,
        "cancelled_tokens": totals.cancelled_tokens,
        "saved_tokens": totals.saved_tokens,
        "cost": totals.cost_nanos as f64 / NANOS,
        "saved": totals.saved_nanos as f64 / NANOS,
    });
    if let Some(name) = name {
        row["name"] = name.into();
    }
    row
}
