//! The chat page, and the client library for pages of others.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{ApiError, State, etag};
use crate::ui;

const CROSS_ORIGIN_RESOURCE_POLICY: header::HeaderName =
    header::HeaderName::from_static("cross-origin-resource-policy");

/// One of the page's files.
pub async fn page(request: HttpRequest, state: Data<State>) -> Result<HttpResponse, ApiError> {
    state.check_chat_door(&request)?;
    let asset = ui::asset(request.path()).ok_or_else(|| ApiError::not_found("there is nothing at this address"))?;
    let is_known = etag::is_known(request.headers(), &asset.etag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::ETAG, asset.etag.as_str()))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_SECURITY_POLICY, ui::CONTENT_SECURITY_POLICY));
    if is_known {
        return Ok(response.finish());
    }
    Ok(response.content_type(asset.content_type).body(asset.bytes))
}

/// `GET /client.js` and `GET /client.mjs`. Whoever may or may not chat here: it is a published program, the same for everybody.
pub async fn library(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let asset = ui::library(request.path()).ok_or_else(|| ApiError::not_found("there is nothing at this address"))?;
    let is_known = etag::is_known(request.headers(), &asset.etag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::ETAG, asset.etag.as_str()))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin"));
    if is_known {
        return Ok(response.finish());
    }
    Ok(response.content_type(asset.content_type).body(asset.bytes))
}
