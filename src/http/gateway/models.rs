//! `GET /v1/models`: what this key may ask.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;
use sophie_actors::openai::models::{self, id};

use super::{GatewayError, State, caller};

/// `GET /v1/models`
pub async fn list(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, GatewayError> {
    let models = offered(&request, &state).await?;
    Ok(HttpResponse::Ok().json(models::list(models)))
}

/// `GET /v1/models/{model}`
pub async fn one(request: HttpRequest, model: Path<String>, state: Data<State>) -> Result<HttpResponse, GatewayError> {
    let models = offered(&request, &state).await?;
    let found = models.into_iter().find(|offered| id(offered) == Some(model.as_str()));
    found.map(|model| HttpResponse::Ok().json(model)).ok_or_else(|| GatewayError::no_model(&model))
}

async fn offered(request: &HttpRequest, state: &State) -> Result<Vec<Value>, GatewayError> {
    let holder = caller::of(request, state)?;
    let listed = state.node.answers.models().await;
    let mut models = listed.map_err(|_| GatewayError::internal())?;
    models.retain(|model| id(model).is_some_and(|id| holder.may_use(id)));
    models.iter_mut().for_each(models::complete);
    Ok(models)
}
