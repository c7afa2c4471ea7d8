//! `GET /v1/models`: what this key may ask.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::{Refused, State, caller};
use crate::auth::bearer::KeyHolder;

/// `GET /v1/models`
pub async fn list(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, Refused> {
    let holder = caller::of(&request, &state)?;
    let models: Vec<Value> = offered(&state, holder).map(|model| row(&state, model)).collect();
    Ok(HttpResponse::Ok().json(json!({"object": "list", "data": models})))
}

/// `GET /v1/models/{model}`
pub async fn one(request: HttpRequest, model: Path<String>, state: Data<State>) -> Result<HttpResponse, Refused> {
    let holder = caller::of(&request, &state)?;
    match offered(&state, holder).find(|offered| **offered == **model) {
        Some(model) => Ok(HttpResponse::Ok().json(row(&state, model))),
        None => Err(Refused::no_model(&model)),
    }
}

fn offered<'a>(state: &'a State, holder: &'a KeyHolder) -> impl Iterator<Item = &'a str> {
    state.gateway.models.iter().map(String::as_str).filter(|model| holder.may_use(model))
}

fn row(state: &State, model: &str) -> Value {
    json!({"id": model, "object": "model", "created": state.gateway.since, "owned_by": "sophie"})
}
