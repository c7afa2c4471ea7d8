//! What is kept of late, newest first: ratings, and what operators did.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::{Value, json};
use sophie_actors::ids::SessionId;
use sophie_actors::protocol::timestamp_of;
use sophie_actors::store::{FEEDBACK_KEPT, Feedback};

use super::super::{ApiError, State, json};
use super::{DEFAULT_ROWS, MAX_ROWS, cut};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    cursor: Option<String>,
    limit: Option<usize>,
}

/// Entries that are read at once where some are left out.
const READ: usize = 500;

/// How many rows a page has, and behind which one it begins: one of the store's own names.
fn page(cursor: Option<&str>, limit: Option<usize>) -> Result<usize, ApiError> {
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeedbackQuery {
    cursor: Option<String>,
    limit: Option<usize>,
    session: Option<SessionId>,
    rating: Option<i8>,
}

/// `GET /admin/api/feedback?session=&rating=&cursor=&limit=`
pub(super) async fn feedback(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let query: FeedbackQuery = json::query(request.query_string())?;
    let limit = page(query.cursor.as_deref(), query.limit)?;
    let is_wanted = |feedback: &Feedback| {
        query.session.as_ref().is_none_or(|session| *session == feedback.session)
            && query.rating.is_none_or(|rating| rating == feedback.rating)
    };
    let read = if query.session.is_some() || query.rating.is_some() { READ } else { limit + 1 };
    let (mut found, mut before, mut seen) = (Vec::new(), query.cursor.clone(), 0);
    // As many are looked through as are kept.
    while found.len() <= limit && seen < FEEDBACK_KEPT {
        let entries = state.node.stores.feedback.newest(before.as_deref(), read).await?;
        let Some((last, _)) = entries.last() else { break };
        before = Some(last.clone());
        seen += entries.len();
        let was_last = entries.len() < read;
        found.extend(entries.into_iter().filter(|(_, feedback)| is_wanted(feedback)));
        if was_last {
            break;
        }
    }
    let next_cursor = cut(&mut found, limit, |(name, _)| name.clone());
    let rows: Vec<Value> = found.iter().map(|(_, feedback)| view(feedback)).collect();
    Ok(HttpResponse::Ok().json(json!({"feedback": rows, "next_cursor": next_cursor})))
}

/// A rating, as operators see it.
pub(super) fn view(feedback: &Feedback) -> Value {
    json!({
        "session": feedback.session,
        "user": feedback.user,
        "group": feedback.group,
        "answer": feedback.answer,
        "rating": feedback.rating,
        "text": feedback.text,
        "created_at": timestamp_of(feedback.at_ms),
    })
}
