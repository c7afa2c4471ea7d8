//! `/openapi.json` and `/asyncapi.json`: what this service says of itself to programs. Everybody may read them.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{State, etag};
use crate::describe::Document;

/// Where they are.
pub const ADDRESSES: [&str; 2] = ["/openapi.json", "/asyncapi.json"];

/// `GET /openapi.json`
pub async fn openapi(request: HttpRequest, state: Data<State>) -> HttpResponse {
    tell(&request, &state.documents.openapi)
}

/// `GET /asyncapi.json`
pub async fn asyncapi(request: HttpRequest, state: Data<State>) -> HttpResponse {
    tell(&request, &state.documents.asyncapi)
}

fn tell(request: &HttpRequest, document: &Document) -> HttpResponse {
    let is_known = etag::is_known(request.headers(), &document.etag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::ETAG, document.etag.as_str())).insert_header((header::CACHE_CONTROL, "no-cache"));
    if is_known {
        return response.finish();
    }
    response.content_type("application/json").body(document.text.clone())
}
