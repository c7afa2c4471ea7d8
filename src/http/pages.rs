//! The chat page, the operators' console, and what pages of others load: the client library and the widget.

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

/// `GET /`: the page itself, which others may show in a frame if the settings name them.
pub async fn page(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    state.check_chat_door(&request)?;
    let policy = state.policy();
    let config = &policy.page;
    let more = [(header::CONTENT_SECURITY_POLICY, config.policy.as_str())];
    send_as(&request, ui::asset(request.path()), &config.page_etag, more)
}

/// One of the page's files. Nobody frames those.
pub async fn file(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    state.check_chat_door(&request)?;
    send(&request, ui::asset(request.path()), [(header::CONTENT_SECURITY_POLICY, ui::content_security_policy(&[]))])
}

/// One of the console's files. They hold no secret: what they show, they ask for with the token.
pub async fn console(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let policy = (header::CONTENT_SECURITY_POLICY, ui::console::CONTENT_SECURITY_POLICY);
    send(&request, ui::console::asset(request.path()), [policy])
}

/// `GET /client.js`, `GET /client.mjs` and `GET /widget.js`. Whoever may or may not chat here: they are published programs, the same for
/// everybody.
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
    send_as(request, asset, asset.map_or("", |asset| &asset.etag), more)
}

/// A file under another validator than its own.
fn send_as(
    request: &HttpRequest,
    asset: Option<&'static Asset>,
    tag: &str,
    more: impl IntoIterator<Item = impl TryIntoHeaderPair>,
) -> Result<HttpResponse, ApiError> {
    let asset = asset.ok_or_else(|| ApiError::not_found("there is nothing at this address"))?;
    let is_known = etag::is_known(request.headers(), tag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::ETAG, tag)).insert_header((header::CACHE_CONTROL, "no-cache"));
    more.into_iter().for_each(|header| _ = response.insert_header(header));
    if is_known {
        return Ok(response.finish());
    }
    Ok(response.content_type(asset.content_type).body(asset.bytes))
}
