//! How the AI backends fare, as this node sees them.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Value, json};
use sophie_actors::cluster::of_backend;

use crate::http::State;

pub(super) async fn list(state: Data<State>) -> HttpResponse {
    let backends = state.policy().router.as_ref().map(|router| router.view()).unwrap_or_default();
    let row = |view| {
        let mut row = json!(view);
        let figures = of_backend(&state.node.metrics, row["name"].as_str().unwrap_or_default());
        row["first_piece_ms"] = json!(figures.first_piece);
        row["prompt_tokens"] = figures.prompt_tokens.into();
        row["completion_tokens"] = figures.completion_tokens.into();
        row["cost"] = figures.cost.into();
        row
    };
    let rows: Vec<Value> = backends.iter().map(row).collect();
    HttpResponse::Ok().json(json!({ "backends": rows }))
}
