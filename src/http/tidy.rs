//! Addresses as people write them: with a slash at the end, or two where one belongs.

use actix_web::dev::ServiceRequest;
use actix_web::http::Uri;
use actix_web::http::uri::PathAndQuery;

/// Whom limits belong to is named by an application: two slashes may be part of it.
const LEFT_ALONE: &str = "/admin/api/limits/";

/// Gives the request the address that was meant.
pub(super) fn tidy(request: &mut ServiceRequest) {
    let Some(path) = tidied(request.path()) else { return };
    let mut parts = request.uri().clone().into_parts();
    let whole = match parts.path_and_query.as_ref().and_then(PathAndQuery::query) {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    parts.path_and_query = PathAndQuery::try_from(whole).ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
}

/// The path with single slashes and none at its end, if that is another one.
fn tidied(path: &str) -> Option<String> {
    let untidy = path.len() > 1 && (path.ends_with('/') || path.contains("//"));
    if !untidy || path.starts_with(LEFT_ALONE) {
        return None;
    }
    let mut tidied = String::with_capacity(path.len());
    for part in path.split('/').filter(|part| !part.is_empty()) {
        tidied.push('/');
        tidied.push_str(part);
    }
    Some(if tidied.is_empty() { "/".to_owned() } else { tidied })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_too_many_are_left_out() {
        for (path, meant) in [
            ("/v1//chat/completions", Some("/v1/chat/completions")),
            ("/v1/chat/completions/", Some("/v1/chat/completions")),
            ("//ws///chat/x//", Some("/ws/chat/x")),
            ("//", Some("/")),
            ("/", None),
            ("/v1/models", None),
            ("/admin/api/limits/user:http://x/", None),
        ] {
            assert_eq!(tidied(path).as_deref(), meant, "{path}");
        }
    }
}
