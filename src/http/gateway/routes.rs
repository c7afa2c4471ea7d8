//! What there is below `/v1`: the table from which it is served, and from which an address that there is not is told what there is.

use actix_web::dev::HttpServiceFactory;
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError, Route};

use super::prepared::Operation;
use super::{GatewayError, State, answering, models};

/// One address.
struct Address {
    method: &'static str,
    /// Below `/v1`. What stands for a part of it may be `{name:pattern}`.
    path: &'static str,
    route: fn() -> Route,
}

/// All of them.
const ADDRESSES: [Address; 5] = [
    Address { method: "POST", path: "/chat/completions", route: || web::post().to(complete) },
    Address { method: "POST", path: "/completions", route: || web::post().to(complete_text) },
    Address { method: "POST", path: "/embeddings", route: || web::post().to(embed) },
    Address { method: "GET", path: "/models", route: || web::get().to(models::list) },
    Address { method: "GET", path: "/models/{model:.+}", route: || web::get().to(models::one) },
];

impl Address {
    /// As people write it: `GET /v1/models/{model}`.
    fn shown(&self) -> String {
        format!("{} /v1{}", self.method, self.path.replace(":.+}", "}"))
    }
}

/// The routes.
pub fn scope() -> impl HttpServiceFactory {
    let all = ADDRESSES.iter().fold(web::scope("/v1"), |scope, Address { method, path, route }| {
        scope.service(
            web::resource(*path).route(route()).default_service(super::super::only_or(method, GatewayError::only)),
        )
    });
    all.default_service(web::to(no_route))
}

async fn no_route(request: HttpRequest) -> HttpResponse {
    let there_is = ADDRESSES.each_ref().map(Address::shown).join(", ");
    GatewayError::no_route(request.method().as_str(), request.path(), &there_is).error_response()
}

/// `POST /v1/chat/completions`
async fn complete(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, GatewayError> {
    answering::respond(Operation::Chat, request, payload, state).await
}

/// `POST /v1/completions`
async fn complete_text(
    request: HttpRequest,
    payload: Payload,
    state: Data<State>,
) -> Result<HttpResponse, GatewayError> {
    answering::respond(Operation::Complete, request, payload, state).await
}

/// `POST /v1/embeddings`
async fn embed(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, GatewayError> {
    answering::respond(Operation::Embed, request, payload, state).await
}
