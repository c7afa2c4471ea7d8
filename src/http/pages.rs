//! The chat page.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::{ApiError, State, etag};
use crate::ui;

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
