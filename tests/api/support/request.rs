//! A request whose response is held to what is described of it while it is read.

use std::fmt::Display;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::header::HeaderValue;
use reqwest::{Body, IntoUrl, RequestBuilder, Response};
use serde::Serialize;
use tokio_tungstenite::tungstenite::http;

use super::described::Seen;

/// A client whose requests are such ones.
#[derive(Debug, Clone)]
pub struct Client(reqwest::Client);

impl Client {
    /// One that goes through no proxy.
    pub fn new() -> Self {
        Self(reqwest::Client::builder().no_proxy().build().expect("a client"))
    }

    /// A request of this method.
    pub fn request(&self, method: &str, url: impl IntoUrl) -> Request {
        Request(self.0.request(method.parse().expect("a method"), url))
    }

    /// A request for something.
    pub fn get(&self, url: impl IntoUrl) -> Request {
        self.request("GET", url)
    }

    /// A request that brings something.
    pub fn post(&self, url: impl IntoUrl) -> Request {
        self.request("POST", url)
    }
}

/// A request that is not sent yet.
#[derive(Debug)]
pub struct Request(RequestBuilder);

impl From<RequestBuilder> for Request {
    fn from(builder: RequestBuilder) -> Self {
        Self(builder)
    }
}

impl Request {
    /// With one more header.
    pub fn header<V>(self, name: impl AsRef<str>, value: V) -> Self
    where
        HeaderValue: TryFrom<V>,
        <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
    {
        Self(self.0.header(name.as_ref(), value))
    }

    /// With a key or a token.
    pub fn bearer_auth(self, token: impl Display) -> Self {
        Self(self.0.bearer_auth(token))
    }

    /// With a name and a password.
    pub fn basic_auth(self, name: impl Display, password: Option<impl Display>) -> Self {
        Self(self.0.basic_auth(name, password))
    }

    /// With a body.
    pub fn body(self, body: impl Into<Body>) -> Self {
        Self(self.0.body(body))
    }

    /// With a JSON body.
    pub fn json(self, body: &(impl Serialize + ?Sized)) -> Self {
        Self(self.0.json(body))
    }

    /// For so long.
    pub fn timeout(self, within: Duration) -> Self {
        Self(self.0.timeout(within))
    }

    /// The same once more, unless its body comes bit by bit.
    pub fn try_clone(&self) -> Option<Self> {
        self.0.try_clone().map(Self)
    }

    /// Sends it.
    pub async fn send(self) -> reqwest::Result<Response> {
        let (http, request) = self.0.build_split();
        let request = request?;
        let (method, target) = (request.method().to_string(), request.url().path().to_owned());
        let response = http.execute(request).await?;
        let (status, version, headers) = (response.status(), response.version(), response.headers().clone());
        let all = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let all: Vec<_> = all.collect();
        let seen = Seen::new(&method, &target, status.as_u16(), &all);
        let parts = stream::unfold((response.bytes_stream(), Some(seen)), |(mut parts, mut seen)| async move {
            let part = parts.next().await;
            match &part {
                Some(Ok(bytes)) => seen.as_mut()?.take(bytes),
                // What breaks off is no whole body.
                Some(Err(_)) => {}
                None => seen.take()?.end(),
            }
            part.map(|part| (part, (parts, seen)))
        });
        let mut seen = http::Response::new(Body::wrap_stream(parts.into_stream()));
        (*seen.status_mut(), *seen.version_mut(), *seen.headers_mut()) = (status, version, headers);
        Ok(seen.into())
    }
}
