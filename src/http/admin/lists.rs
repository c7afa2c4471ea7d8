//! What is kept of late, newest first: how its pages are asked for, and what operators did.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::json;

use super::super::{ApiError, State, json};
use super::{DEFAULT_ROWS, MAX_ROWS, cut};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    cursor: Option<String>,
    limit: Option<usize>,
}

/// How many rows a page has, and behind which one it begins: one of the store's own names.
pub(super) fn page(cursor: Option<&str>, limit: Option<usize>) -> Result<usize, ApiError> {
    let is_number = |text: &str| text.len() <= 20 && text.parse::<u64>().is_ok();
    let is_name = |cursor: &str| match cursor.split_once('-') {
        Some((ms, number)) => is_number(ms) && is_number(number),
        None => is_number(cursor),
    };
    if !cursor.is_none_or(is_name) {
        return Err(ApiError::bad_request("`cursor` is the `next_cursor` of the page before"));
    }
    match limit.unwrap_or(DEFAULT_ROWS) {
        limit @ 1..=MAX_ROWS => Ok(limit),
        _ => Err(ApiError::bad_request(format!("`limit` is 1 to {MAX_ROWS}"))),
    }
}

/// `GET /admin/api/audit?cursor=&limit=`
pub(super) async fn audit(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let query: Query = json::query(request.query_string())?;
    let limit = page(query.cursor.as_deref(), query.limit)?;
    let mut acts = state.node.stores.acts.newest(query.cursor.as_deref(), limit + 1).await?;
    let next_cursor = cut(&mut acts, limit, |(name, _)| name.clone());
    let acts: Vec<_> = acts.iter().map(|(_, act)| act).collect();
    Ok(HttpResponse::Ok().json(json!({"acts": acts, "next_cursor": next_cursor})))
}
