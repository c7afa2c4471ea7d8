//! The response cache: how it does, and emptying it.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::json;

use super::super::{ApiError, State, json};
use super::audit::Done;
use super::usage::{today, totals};

/// `GET /admin/api/cache`: what it holds, and what it did today in the whole cluster.
pub(super) async fn show(state: Data<State>) -> Result<HttpResponse, ApiError> {
    let node = &state.node;
    node.ledger.flush().await;
    let held = state.seen.cache.get(async || node.stores.cache.held().await).await?;
    let total = totals(&state, &today()).await?;
    Ok(HttpResponse::Ok().json(json!({
        "entries": held.entries,
        "bytes": held.bytes,
        "hits": total.hits,
        "misses": total.answers.saturating_sub(total.hits + total.coalesced),
        "coalesced": total.coalesced,
        "saved_tokens": total.saved_tokens,
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    model: Option<String>,
}

/// `DELETE /admin/api/cache[?model=]`
pub(super) async fn purge(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let query: Query = json::query(request.query_string())?;
    let purged = state.node.stores.cache.purge(query.model.as_deref()).await?;
    state.seen.cache.forget().await;
    let mut response = HttpResponse::Ok().json(json!({"purged": purged}));
    response.extensions_mut().insert(Done { done: purged, pending: 0 });
    Ok(response)
}
