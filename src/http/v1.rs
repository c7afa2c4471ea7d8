//! What there is below `/v1`: the table from which it is served, and from which an address that there is not is told what there is.

use actix_web::dev::HttpServiceFactory;
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError, Route};

use super::gateway::prepared::Operation;
use super::gateway::{GatewayError, answering, models};
use super::{State, only_or, responses};

/// One address.
struct Address {
    /// As `Allow` tells them.
    methods: &'static str,
    /// Below `/v1`. What stands for a part of it may be `{name:pattern}`.
    path: &'static str,
    /// One for each method.
    routes: fn() -> Vec<Route>,
}

/// Where a WebSocket is too.
const SOCKET: &str = "/responses";

/// All of them.
const ADDRESSES: [Address; 9] = [
    Address { methods: "POST", path: "/chat/completions", routes: || vec![web::post().to(complete)] },
    Address { methods: "POST", path: "/completions", routes: || vec![web::post().to(complete_text)] },
    Address { methods: "POST", path: SOCKET, routes: || vec![web::post().to(responses::post)] },
    Address {
        methods: "GET, DELETE",
        path: "/responses/{id}",
        routes: || vec![web::get().to(responses::get), web::delete().to(responses::delete)],
    },
    Address { methods: "POST", path: "/responses/{id}/cancel", routes: || vec![web::post().to(responses::cancel)] },
    Address {
        methods: "GET",
        path: "/responses/{id}/input_items",
        routes: || vec![web::get().to(responses::list_input)],
    },
    Address { methods: "POST", path: "/embeddings", routes: || vec![web::post().to(embed)] },
    Address { methods: "GET", path: "/models", routes: || vec![web::get().to(models::list)] },
    Address { methods: "GET", path: "/models/{model:.+}", routes: || vec![web::get().to(models::one)] },
];

impl Address {
    /// As people write it: `GET /v1/models/{model}`.
    fn shown(&self) -> String {
        let path = self.path.replace(":.+}", "}");
        self.methods.split(", ").map(|method| format!("{method} /v1{path}")).collect::<Vec<_>>().join(", ")
    }
}

/// The routes.
///
/// `socket`: how what is answered by POST at [`SOCKET`] is asked for over a WebSocket.
pub fn scope(socket: Route) -> impl HttpServiceFactory + use<> {
    let mut socket = Some(socket);
    let all = ADDRESSES.iter().fold(web::scope("/v1"), |scope, Address { methods, path, routes }| {
        let own = (*path == SOCKET).then(|| socket.take()).flatten();
        let resource =
            routes().into_iter().chain(own).fold(web::resource(*path), |resource, route| resource.route(route));
        scope.service(resource.default_service(only_or(methods, GatewayError::only)))
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
