//! The chat page, the operators' console, and the client library for pages of others.

use actix_web::http::header::{self, HeaderName, TryIntoHeaderPair};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{ApiError, State, etag};
use crate::ui::{self, Asset};

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// `GET /page/config.json`: what the settings say of the page.
pub async fn config(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    state.check_chat_door(&request)?;
    let config = &state.policy().page;
    let is_known = etag::is_known(request.headers(), &config.etag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::ETAG, config.etag.as_str())).insert_header((header::CACHE_CONTROL, "no-cache"));
    if is_known {
        return Ok(response.finish());
    }
    Ok(response.content_type("application/json").body(config.text.clone()))
}

/// One of the page's files.
pub async fn page(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    state.check_chat_door(&request)?;
    send(&request, ui::asset(request.path()), [(header::CONTENT_SECURITY_POLICY, ui::CONTENT_SECURITY_POLICY)])
}

/// One of the console's files. They hold no secret: what they show, they ask for with the token.
pub async fn console(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let policy = (header::CONTENT_SECURITY_POLICY, ui::console::CONTENT_SECURITY_POLICY);
    send(&request, ui::console::asset(request.path()), [policy])
}

/// `GET /client.js` and `GET /client.mjs`. Whoever may or may not chat here: it is a published program, the same for everybody.
pub async fn library(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let for_all = [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"), (CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin")];
    send(&request, ui::library(request.path()), for_all)
}

/// A file, unless the caller has it.
fn send(
    request: &HttpRequest,
    asset: Option<&'static Asset>,
    more: impl IntoIterator<Item = impl TryIntoHeaderPair>,
) -> Result<HttpResponse, ApiError> {
    let asset = asset.ok_or_else(|| ApiError::not_found("there is nothing at this address"))?;
    let is_known = etag::is_known(request.headers(), &asset.etag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::ETAG, asset.etag.as_str())).insert_header((header::CACHE_CONTROL, "no-cache"));
    more.into_iter().for_each(|header| _ = response.insert_header(header));
    if is_known {
        return Ok(response.finish());
    }
    Ok(response.content_type(asset.content_type).body(asset.bytes))
}
