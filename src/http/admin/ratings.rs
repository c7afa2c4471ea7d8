//! Ratings, as operators see them: a list, newest first, and all of it in a few numbers.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sophie_actors::ids::SessionId;
use sophie_actors::protocol::timestamp_of;
use sophie_actors::store::{FEEDBACK_KEPT, Feedback, StoreResult, Stores};

use super::super::{ApiError, State, json};
use super::cut;
use super::lists::page;

/// Entries that are read at once where some are left out.
const READ: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    cursor: Option<String>,
    limit: Option<usize>,
    session: Option<SessionId>,
    rating: Option<i8>,
    of: Option<String>,
    #[serde(default)]
    words: bool,
}

impl Query {
    fn wants(&self, feedback: &Feedback) -> bool {
        self.session.as_ref().is_none_or(|session| *session == feedback.session)
            && self.rating.is_none_or(|rating| rating == feedback.rating)
            && self.of.as_ref().is_none_or(|of| of == feedback.kind())
            && (!self.words || feedback.text.is_some())
    }

    fn wants_all(&self) -> bool {
        self.session.is_none() && self.rating.is_none() && self.of.is_none() && !self.words
    }
}

/// `GET /admin/api/feedback?session=&rating=&of=&words=&cursor=&limit=`
pub(super) async fn list(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let query: Query = json::query(request.query_string())?;
    let limit = page(query.cursor.as_deref(), query.limit)?;
    if query.of.as_deref().is_some_and(|of| !matches!(of, "answer" | "session")) {
        return Err(ApiError::bad_request("`of` is \"answer\" or \"session\""));
    }
    let read = if query.wants_all() { limit + 1 } else { READ };
    let (mut found, mut before, mut seen) = (Vec::new(), query.cursor.clone(), 0);
    // As many are looked through as are kept.
    while found.len() <= limit && seen < FEEDBACK_KEPT {
        let entries = state.node.stores.feedback.newest(before.as_deref(), read).await?;
        let Some((last, _)) = entries.last() else { break };
        before = Some(last.clone());
        seen += entries.len();
        let was_last = entries.len() < read;
        found.extend(entries.into_iter().filter(|(_, feedback)| query.wants(feedback)));
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

/// How many ratings of each kind are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Summary {
    answers: Thumbs,
    sessions: Stars,
}

/// Those of answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
struct Thumbs {
    good: u64,
    bad: u64,
}

/// Those of chats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
struct Stars {
    count: u64,
    average: Option<f64>,
    /// How many gave 1, and so on to 5.
    each: [u64; 5],
}

impl Summary {
    fn count(&mut self, feedback: &Feedback) {
        match (&feedback.answer, feedback.rating) {
            (Some(_), 1..) => self.answers.good += 1,
            (Some(_), _) => self.answers.bad += 1,
            (None, stars) => {
                let place = usize::try_from(stars).ok().and_then(|stars| stars.checked_sub(1));
                if let Some(each) = place.and_then(|place| self.sessions.each.get_mut(place)) {
                    *each += 1;
                }
            }
        }
    }

    fn done(mut self) -> Self {
        let stars = &mut self.sessions;
        stars.count = stars.each.iter().sum();
        let sum: u64 = stars.each.iter().zip(1..).map(|(each, stars)| each * stars).sum();
        stars.average = (stars.count > 0).then(|| (sum as f64 / stars.count as f64 * 100.0).round() / 100.0);
        self
    }
}

async fn summed(stores: &Stores) -> StoreResult<Summary> {
    let (mut summary, mut before, mut seen) = (Summary::default(), None::<String>, 0);
    while seen < FEEDBACK_KEPT {
        let entries = stores.feedback.newest(before.as_deref(), READ).await?;
        entries.iter().for_each(|(_, feedback)| summary.count(feedback));
        seen += entries.len();
        let was_last = entries.len() < READ;
        before = entries.into_iter().last().map(|(name, _)| name);
        if was_last {
            break;
        }
    }
    Ok(summary.done())
}

/// `GET /admin/api/feedback/summary`
pub(super) async fn summary(state: Data<State>) -> Result<HttpResponse, ApiError> {
    let summary = state.seen.ratings.get(async || summed(&state.node.stores).await).await?;
    Ok(HttpResponse::Ok().json(summary))
}
