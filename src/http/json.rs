//! Request bodies and query strings, with errors that say what is wrong.

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Payload};
use serde::de::DeserializeOwned;

use super::ApiError;

/// Receives a body of at most `most` bytes.
pub async fn receive(payload: Payload, most: usize) -> Result<Bytes, ApiError> {
    match payload.to_bytes_limited(most).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(ApiError::bad_request("the body could not be read to its end")),
        Err(_) => {
            let message = format!("the body is larger than {most} bytes");
            Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message))
        }
    }
}

/// Reads a JSON object.
pub fn body<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, ApiError> {
    // Else an array would be taken for the fields in their order.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(ApiError::bad_request("the body is one JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| ApiError::bad_request(format!("the body is not right: {error}")))
}

/// Reads a query string.
pub fn query<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    actix_web::web::Query::<T>::from_query(query)
        .map(actix_web::web::Query::into_inner)
        .map_err(|error| ApiError::bad_request(format!("the query is not right: {error}")))
}
