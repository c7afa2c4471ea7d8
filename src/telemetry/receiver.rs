//! The receiver: what it is sent, and what it says to that.

use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Response, Url, redirect};

use crate::settings::{OtelHeader, OtelSettings};

/// How long a receiver has for its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that are read of it.
const MOST_ANSWER: usize = 64 * 1024;
const PATH: [&str; 2] = ["v1", "traces"];

/// Where spans are sent.
pub struct Receiver {
    client: Client,
    url: Url,
    resource: ResourceAttributesWithSchema,
}

/// Why spans were not taken.
#[derive(Debug, PartialEq, Eq)]
pub struct NotTaken {
    /// For the log.
    pub cause: String,
    /// They may be taken later.
    pub passing: bool,
}

impl Receiver {
    /// The one of the settings.
    pub fn new(settings: &OtelSettings, resource: &Resource) -> Result<Self, String> {
        let url = address(settings.endpoint.as_str())?;
        let mut headers = HeaderMap::new();
        for header in settings.headers.iter().filter_map(|header| OtelHeader::parse(header.expose())) {
            headers.insert(header.name, header.value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let mut client = Client::builder()
            .default_headers(headers)
            .user_agent(concat!("sophie/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the key to where nobody meant it to go.
            .redirect(redirect::Policy::none())
            .timeout(PATIENCE);
        if url.scheme() == "http" {
            // An image without any certificates must do.
            client = client.tls_certs_only([]);
        }
        if crate::upstream::is_loopback(&url) {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| error.without_url().to_string())?;
        Ok(Self { client, url, resource: resource.into() })
    }

    /// Spans as they are sent.
    pub fn batch(&self, spans: Vec<SpanData>) -> Bytes {
        let resource_spans = group_spans_by_resource_and_scope(spans, &self.resource);
        ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
    }

    /// Sends spans. Returns how many of them it did not want.
    pub async fn send(&self, body: Bytes) -> Result<u64, NotTaken> {
        let sent = self.client.post(self.url.clone()).body(body).send().await;
        let answer = sent.map_err(|error| NotTaken { cause: chain(error), passing: true })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(rejected(answer).await);
        }
        let passing = matches!(status.as_u16(), 408 | 429 | 502..=504);
        Err(NotTaken { cause: format!("status {status}"), passing })
    }
}

/// Where traces are sent, below the address of the settings.
fn address(endpoint: &str) -> Result<Url, String> {
    let mut url = Url::parse(endpoint).map_err(|error| error.to_string())?;
    let is_whole = url.path().trim_end_matches('/').ends_with("/v1/traces");
    if !is_whole && let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(PATH);
    }
    Ok(url)
}

/// How many spans it did not want, as far as that can be read.
async fn rejected(mut answer: Response) -> u64 {
    let mut body = Vec::new();
    while let Ok(Some(piece)) = answer.chunk().await {
        if body.len() + piece.len() > MOST_ANSWER {
            return 0;
        }
        body.extend_from_slice(&piece);
    }
    let partial = ExportTraceServiceResponse::decode(body.as_slice()).ok().and_then(|answer| answer.partial_success);
    partial.map_or(0, |partial| u64::try_from(partial.rejected_spans).unwrap_or(0))
}

/// An error with its causes, without the address, which may hold a password.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_added_where_it_is_missing() {
        for (endpoint, url) in [
            ("http://h:4318", "http://h:4318/v1/traces"),
            ("http://h:4318/", "http://h:4318/v1/traces"),
            ("https://h/otlp", "https://h/otlp/v1/traces"),
            ("https://h/otlp/v1/traces", "https://h/otlp/v1/traces"),
            ("https://h/v1/traces?key=k", "https://h/v1/traces?key=k"),
        ] {
            assert_eq!(address(endpoint).unwrap().as_str(), url);
        }
    }
}
