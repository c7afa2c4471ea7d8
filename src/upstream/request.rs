//! How a request is sent: where to, with which headers, its body in pieces.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::stream;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use reqwest::{Client, RequestBuilder, Url, redirect};
use sophie_actors::openai::Body;

use super::options::BadOptions;
use super::pooled::Noting;
use super::secrets::BackendKey;

/// OpenAI's own address, for when none is set.
pub const DEFAULT_BASE_URL: &str = "https://api.openai.com/v1";

/// How many connections that nobody needs at the moment are kept.
pub const KEPT_CONNECTIONS: usize = 64;

/// Where a backend is asked for something, under a base address with or without a slash at its end. A query
/// (Azure's `?api-version=`) stays.
pub fn address(path: &[&str], base_url: &str) -> Result<Url, BadOptions> {
    let base_url = base_url.trim();
    let base_url = if base_url.is_empty() { DEFAULT_BASE_URL } else { base_url };
    let mut url = Url::parse(base_url).map_err(|_| BadOptions::BaseUrl)?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(BadOptions::BaseUrl);
    }
    url.path_segments_mut().map_err(|()| BadOptions::BaseUrl)?.pop_if_empty().extend(path);
    Ok(url)
}

/// Where a backend lists its models, by where it is asked for embeddings.
pub fn models(embeddings: &Url) -> Option<Url> {
    let mut url = embeddings.clone();
    url.path_segments_mut().ok()?.pop().push("models");
    Some(url)
}

/// An address for the log: without user, password and query, each of which may be a secret.
pub fn place(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// A client without a total time-out, since an answer may be long, and without redirects, since they would carry
/// questions and the key to where nobody meant them to go.
pub fn client(
    url: &Url,
    key: Option<&BackendKey>,
    further: &[(String, BackendKey)],
    connect: Duration,
) -> Result<Client, BadOptions> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        return Err(BadOptions::Client("no TLS crypto provider is installed".into()));
    }
    let mut headers = HeaderMap::new();
    // Pieces of an answer are to come one by one.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if let Some(key) = key {
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {}", key.expose())).map_err(|_| BadOptions::BackendKey)?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
    for (name, value) in further {
        let bad = || BadOptions::Header(name.clone());
        let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| bad())?;
        value.set_sensitive(true);
        headers.insert(known, value);
    }
    let mut client = Client::builder()
        .default_headers(headers)
        .user_agent(concat!("sophie/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .pool_max_idle_per_host(KEPT_CONNECTIONS)
        .connector_layer(Noting)
        .connect_timeout(connect);
    if url.scheme() == "http" {
        // A model next door needs no certificates, and an image without any must do.
        client = client.tls_certs_only([]);
    }
    if is_loopback(url) {
        // A proxy cannot know this machine's own servers.
        client = client.no_proxy();
    }
    client.build().map_err(|error| BadOptions::Client(error.without_url().to_string()))
}

/// Whether an address is of this machine.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What a request's answer should come as.
pub fn accept(streams: bool) -> (reqwest::header::HeaderName, HeaderValue) {
    (ACCEPT, HeaderValue::from_static(if streams { "text/event-stream" } else { "application/json" }))
}

/// Bodies up to so many bytes are sent as one text. Longer ones in their pieces, which all attempts share.
const LONGEST_COPIED: usize = 64 * 1024;

/// Adds the body, with its length.
pub fn with_body(request: RequestBuilder, body: &Body) -> RequestBuilder {
    let pieces = body.pieces();
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if length <= LONGEST_COPIED {
        return request.body(pieces.concat());
    }
    let pieces = pieces.into_iter().map(|piece| Ok::<_, Infallible>(piece.into_bytes()));
    request.header(CONTENT_LENGTH, length).body(reqwest::Body::wrap_stream(stream::iter(pieces)))
}

#[cfg(test)]
mod tests {
    use sophie_actors::openai::{Api, Endpoint};

    use super::*;

    #[test]
    fn a_base_address_may_end_in_a_slash_or_bear_a_query() {
        for (base, url) in [
            ("", "https://api.openai.com/v1/chat/completions"),
            ("http://127.0.0.1:11434/v1", "http://127.0.0.1:11434/v1/chat/completions"),
            ("http://127.0.0.1:11434/v1/", "http://127.0.0.1:11434/v1/chat/completions"),
            ("http://h", "http://h/chat/completions"),
            ("https://h/openai/v1/?api-version=1", "https://h/openai/v1/chat/completions?api-version=1"),
        ] {
            assert_eq!(address(Api::ChatCompletions.path(), base).expect("an address").as_str(), url);
        }
    }

    #[test]
    fn embeddings_and_responses_are_asked_for_beside_the_chat_completions() {
        for (base, url) in [("http://h/v1", "http://h/v1/"), ("https://h/x/?v=1", "https://h/x/?v=1")] {
            let at = |path: &[&str]| address(path, base).expect("an address").to_string();
            assert_eq!(
                at(Endpoint::Embeddings.path()),
                url.replace("/?", "/embeddings?").replace("v1/", "v1/embeddings")
            );
            assert_eq!(at(Api::Responses.path()), url.replace("/?", "/responses?").replace("v1/", "v1/responses"));
        }
    }

    #[test]
    fn an_address_is_logged_without_its_secrets() {
        let url = address(Api::ChatCompletions.path(), "https://user:word@h:8443/v1?key=secret").expect("an address");
        assert_eq!(place(&url), "https://h:8443/v1/chat/completions");
    }

    #[test]
    fn what_is_no_web_address_is_refused() {
        for base in ["localhost:8080", "ftp://h/v1", "file:///etc/passwd", "not an address"] {
            assert_eq!(address(Api::ChatCompletions.path(), base), Err(BadOptions::BaseUrl), "{base}");
        }
    }

    #[test]
    fn models_are_listed_beside_the_embeddings() {
        for (base, list) in [("http://h/v1", "http://h/v1/models"), ("https://h/x?v=1", "https://h/x/models?v=1")] {
            let embeddings = address(Endpoint::Embeddings.path(), base).expect("an address");
            assert_eq!(models(&embeddings).expect("an address").as_str(), list);
        }
    }

    #[test]
    fn loopback_addresses_are_known() {
        for (base, loopback) in [
            ("http://localhost:1/", true),
            ("http://127.0.0.9/", true),
            ("http://[::1]:8/", true),
            ("http://h/", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(base).expect("an address")), loopback, "{base}");
        }
    }
}
