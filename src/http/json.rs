//! Request bodies and query strings, with errors that say what is wrong.

use actix_web::web::Bytes;
use serde::de::DeserializeOwned;

use super::ApiError;

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
