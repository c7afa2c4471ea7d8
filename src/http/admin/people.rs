//! People beside the assistant: taking a group over, handing it back, and the groups that wait for a person.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};
use sophie_actors::cluster::settle;
use sophie_actors::cluster::whereabouts::{self, Headcount};
use sophie_actors::ids::GroupName;
use sophie_actors::protocol::timestamp_of;
use sophie_actors::store::{Act, Waiting};

use super::super::{ApiError, State};
use super::{PageQuery, cut, group_name};

/// `PUT /admin/api/groups/{group}/assistant`
pub(super) async fn hand_back(name: Path<String>, state: Data<State>) -> Result<HttpResponse, ApiError> {
    switch_assistant(&name, Act::HandBack, &state).await
}

/// `DELETE /admin/api/groups/{group}/assistant`
pub(super) async fn take_over(name: Path<String>, state: Data<State>) -> Result<HttpResponse, ApiError> {
    switch_assistant(&name, Act::TakeOver, &state).await
}

async fn switch_assistant(name: &str, act: Act, state: &State) -> Result<HttpResponse, ApiError> {
    let name = group_name(name)?;
    settle(&state.node, &name, act).await?;
    Ok(HttpResponse::Ok().json(json!({"group": name, "assistant": act == Act::HandBack})))
}

/// `DELETE /admin/api/waiting/{group}`
pub(super) async fn dismiss(name: Path<String>, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let name = group_name(&name)?;
    let assistant = settle(&state.node, &name, Act::Dismiss).await?;
    let assistant = assistant.ok_or_else(|| ApiError::not_found("this group waits for nobody"))?;
    Ok(HttpResponse::Ok().json(json!({"group": name, "assistant": assistant})))
}

/// Between the parts of a cursor: in no name of a group.
const MARK: char = ':';

/// `GET /admin/api/waiting?prefix=&cursor=&limit=`: who waits for the longest time comes first.
pub(super) async fn waiting(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let (page, limit) = PageQuery::of(&request)?;
    let after = page.cursor.as_deref().map(|cursor| {
        let (since, name) = cursor.split_once(MARK)?;
        Some((since.parse::<u64>().ok()?, name))
    });
    let after = match after {
        Some(None) => return Err(ApiError::bad_request("`cursor` is the `next_cursor` of the page before")),
        after => after.flatten(),
    };
    let node = &state.node;
    let mut rows = node.stores.desk.waiting(&page.prefix, after, limit + 1).await?;
    let next_cursor = cut(&mut rows, limit, |row| format!("{}{MARK}{}", row.since_ms, row.group));
    let names: Vec<GroupName> = rows.iter().map(|row| row.group.clone()).collect();
    let counts = whereabouts::headcounts(node, &names).await?;
    let row = |(waiting, Headcount { members, .. }): (&Waiting, Headcount)| {
        let mut row = view(waiting);
        row["group"] = json!(waiting.group);
        row["assistant"] = waiting.assistant.into();
        row["members"] = members.into();
        row
    };
    let rows: Vec<Value> = rows.iter().zip(counts).map(row).collect();
    Ok(HttpResponse::Ok().json(json!({"waiting": rows, "next_cursor": next_cursor})))
}

/// Who asked for a person, since when, and what for.
pub(super) fn view(waiting: &Waiting) -> Value {
    json!({
        "session": waiting.asker.session,
        "user": waiting.asker.user,
        "text": waiting.asker.text,
        "since": timestamp_of(waiting.since_ms),
    })
}
