//! What was said in a group, for an operator who takes it over.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sophie_actors::ids::GroupName;
use sophie_actors::store::PageSize;

use super::super::{ApiError, State, json};
use super::group_name;

/// Events of a page when the caller does not say how many, and at most; as over a socket.
const DEFAULT_EVENTS: usize = 50;
const MAX_EVENTS: usize = 100;
/// Bytes of a page, at most.
const MAX_BYTES: usize = 256 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    before: Option<u64>,
    limit: Option<usize>,
}

/// `GET /admin/api/groups/{name}/messages?before=&limit=`: events of the group's log, oldest first, as its members got them.
pub(super) async fn read(
    request: HttpRequest,
    name: Path<String>,
    state: Data<State>,
) -> Result<HttpResponse, ApiError> {
    let name = group_name(&name)?;
    let query: Query = json::query(request.query_string())?;
    let events = match query.limit.unwrap_or(DEFAULT_EVENTS) {
        limit @ 1..=MAX_EVENTS => limit,
        _ => return Err(ApiError::bad_request(format!("`limit` is 1 to {MAX_EVENTS}"))),
    };
    let page = state.node.stores.logs.read_before(&name, query.before, PageSize { events, bytes: MAX_BYTES }).await?;
    if page.epoch.is_none() {
        return Err(ApiError::not_found("there is no such group"));
    }
    let frames = page.events.iter().map(|event| RawValue::from_string(event.frame().to_string()));
    let events: Vec<Box<RawValue>> = frames.filter_map(Result::ok).collect();
    Ok(HttpResponse::Ok().json(Told { group: &name, events, more: page.more }))
}

#[derive(Serialize)]
struct Told<'a> {
    group: &'a GroupName,
    events: Vec<Box<RawValue>>,
    more: bool,
}
