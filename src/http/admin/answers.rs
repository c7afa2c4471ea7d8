//! The answers that are written or read at this node, and who follows them.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Value, json};
use sophie_actors::answers::UnderWay;
use sophie_actors::protocol::Refusal;
use sophie_actors::store::AnswerOwner;

use crate::http::{ApiError, State};

pub(super) async fn list(state: Data<State>) -> Result<HttpResponse, ApiError> {
    let all = state.node.answers.under_way().await.map_err(|_| Refusal::internal())?;
    let answers: Vec<Value> = all.iter().map(|answer| row(&state, answer)).collect();
    Ok(HttpResponse::Ok().json(json!({"node": state.node.roster.node(), "answers": answers})))
}

fn row(state: &State, answer: &UnderWay) -> Value {
    let mut row = json!(answer);
    match &answer.owner {
        AnswerOwner::Group(group) => {
            row["group"] = json!(group);
            row["sockets"] = state.node.roster.listeners(group).into();
        }
        AnswerOwner::Key(digest) => {
            row["key"] = json!(state.policy().api_keys.of_digest(digest).map(|holder| &holder.name))
        }
    }
    row
}
