//! The routing table.

use actix_web::web::{self, ServiceConfig};

use crate::http::{State, admin, agui, chat, documents, durable, health, no_route, only, pages, publish, read, v1};
use crate::ws::{self, ai_sdk, responses};

/// What a listener serves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Serves {
    /// Chat, pages, the application's API.
    pub(super) public: bool,
    /// Admin, health, metrics.
    pub(super) admin: bool,
}

/// All addresses. Those below `/v1` and `/admin` are in the scopes of their rooms.
pub(super) fn routes(config: &mut ServiceConfig, serves: Serves, state: &State) {
    if serves.public {
        config
            .service(web::resource("/ws/chat/{session}").route(web::get().to(ws::connect)).default_service(only("GET")))
            .service(
                web::resource("/api/groups/{group}/messages")
                    .route(web::post().to(publish::by_application))
                    .default_service(only("POST")),
            )
            .service(v1::scope(web::get().to(responses::connect)))
            .service(chat::scope(&state.chat.path, web::get().to(ai_sdk::connect)))
            .service(agui::scope())
            .service(durable::scope())
            .service(read("/openapi.json", documents::openapi))
            .service(read("/asyncapi.json", documents::asyncapi))
            .service(read("/client.js", pages::library))
            .service(read("/client.mjs", pages::library))
            .service(read("/widget.js", pages::library))
            .service(read("/", pages::page))
            .service(read("/page/config.json", pages::config))
            .service(read("/page/{file:.*}", pages::file));
    }
    if serves.admin {
        config
            .service(read("/health/live", health::live))
            .service(read("/health/ready", health::ready))
            .service(read("/metrics", health::metrics))
            .service(admin::scope())
            .service(read("/admin", pages::console))
            .service(read("/admin/files/{file:.*}", pages::console));
    }
    config.default_service(web::to(no_route));
}
