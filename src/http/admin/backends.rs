//! How the AI backends fare, as this node sees them.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::json;

use crate::http::State;

pub(super) async fn list(state: Data<State>) -> HttpResponse {
    let backends = state.policy().router.as_ref().map(|router| router.view()).unwrap_or_default();
    HttpResponse::Ok().json(json!({ "backends": backends }))
}
