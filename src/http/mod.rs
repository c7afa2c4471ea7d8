//! HTTP: the handlers of what is no WebSocket, and what all handlers share.

pub mod admin;
pub mod agui;
pub mod chat;
mod cors;
pub mod documents;
pub mod durable;
mod error;
mod etag;
pub mod gateway;
pub mod health;
mod incoming;
mod json;
mod page_config;
pub mod pages;
mod policy;
pub mod publish;
mod recent;
mod redis;
pub mod refusals;
pub mod responses;
mod server_sent;
mod socket_places;
mod tidy;
mod traced;
pub mod v1;
pub mod visitor;
mod wrap;

use std::collections::HashSet;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::http::header;
use actix_web::web;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, ResponseError};
use sophie_actors::in_force::InForce;
use sophie_actors::node::Node;
use sophie_actors::openai::Api;
use sophie_actors::redis::{DatabaseLook, RedisHealth};
use sophie_actors::store::CacheSize;
use tokio::sync::watch;

pub use error::ApiError;
pub use gateway::{Gateway, LongBodies, Running};
pub use page_config::PageConfig;
pub use policy::Policy;
use recent::Recent;
pub use redis::ConnectionCaps;
pub use socket_places::{SocketPlace, SocketPlaces};
use wrap::InOwnWords;
pub use wrap::{keep_small_plain, wrap};

use crate::auth::bearer::KeyHolder;
use crate::auth::credentials::bearer;
use crate::auth::doors::{Knock, Shut, client_of};
use crate::describe::Documents;
use crate::line;
use crate::settings::ChatSettings;

/// What every handler may use.
pub struct State {
    /// The actors and stores.
    pub node: Node,
    /// Whom it lets in and who answers, which may change.
    pub in_force: InForce<Policy>,
    /// The proxies whose word on addresses is taken.
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// Peers of which it was said that what they forward is not believed.
    pub warned: Mutex<HashSet<IpAddr>>,
    /// Places for connections.
    pub connections: SocketPlaces,
    /// Places for connections of all kinds.
    pub lines: line::Places,
    /// How long nothing of a body may come, and how long it has before it must keep a pace.
    pub body_within: Duration,
    /// Bytes of the largest body that is read whole; `/v1` has its own.
    pub most_bytes: usize,
    /// `[chat]`
    pub chat: ChatSettings,
    /// `answers.keep_seconds`
    pub keep_seconds: u64,
    /// `ds.poll_seconds`
    pub poll_seconds: u64,
    /// The OpenAI-compatible way in.
    pub gateway: Gateway,
    /// What is said of all this to programs.
    pub documents: Documents,
    /// Redis, if it is used.
    pub redis: Option<RedisHealth>,
    /// How many connections to it there may be.
    pub connection_caps: ConnectionCaps,
    /// What operators and probes ask for again and again.
    pub seen: RecentlySeen,
    /// What the node remembers of the cluster, for operators.
    pub live: admin::Live,
    /// Set when the node is going.
    pub draining: watch::Sender<bool>,
}

/// What was seen of late of what costs the databases something to tell.
#[derive(Debug, Default)]
pub struct RecentlySeen {
    databases: Recent<Vec<DatabaseLook>>,
    cache: Recent<CacheSize>,
    ratings: Recent<admin::Summary>,
}

impl State {
    /// How the databases are, a second ago at most; nothing without any.
    async fn databases(&self) -> Vec<DatabaseLook> {
        let look = async || match &self.redis {
            Some(redis) => Ok::<_, Infallible>(redis.look().await),
            None => Ok(Vec::new()),
        };
        let Ok(looks) = self.seen.databases.get(look).await;
        looks
    }

    /// Whom the node lets in and who answers, now.
    pub fn policy(&self) -> Arc<Policy> {
        self.in_force.get()
    }

    /// The API by which all backends of a model are asked; chat completions if there is no such.
    pub fn api_of(&self, model: &str) -> Api {
        self.policy().router.as_ref().map(|router| router.api_of(model)).unwrap_or_default()
    }

    /// Whether the node is going.
    pub fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Waits until it is.
    pub async fn goes(&self) {
        // The sender lives as long as this.
        _ = self.draining.subscribe().wait_for(|draining| *draining).await;
    }

    /// The application that asks, by its API key; anybody where no key is needed, but for those who are not of this machine or come
    /// from a page of another origin, which any browser on this machine may show.
    ///
    /// # Errors
    /// It has no good key, and needs one.
    pub fn application(&self, request: &HttpRequest) -> Result<Arc<KeyHolder>, Outsider> {
        let policy = self.policy();
        let authorization = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if let Some(holder) = authorization.and_then(bearer).and_then(|key| policy.api_keys.holder_of(key)) {
            return Ok(holder.clone());
        }
        if !policy.api_keys.is_empty() || !policy.open_to_applications {
            refusals::application(authorization.is_some(), client_address(request, self));
            return Err(Outsider::NoKey);
        }
        policy.doors.to_applications(&knock(request)).map_err(Outsider::Shut)?;
        if policy.origins.admits(request.headers()) {
            return Ok(policy.api_keys.anybody().clone());
        }
        refusals::origin(request.headers(), client_address(request, self));
        Err(Outsider::ForeignPage)
    }

    /// Whether a request may come to the chat and its page, where those stand open.
    ///
    /// # Errors
    /// 403.
    pub fn check_chat_door(&self, request: &HttpRequest) -> Result<(), ApiError> {
        Ok(self.policy().doors.to_chat(&knock(request))?)
    }
}

/// Why somebody is not taken for an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outsider {
    /// No key, or a wrong one.
    NoKey,
    /// No key is needed, but this is a page of another origin.
    ForeignPage,
    /// No key is needed, but this request may not be from this machine.
    Shut(Shut),
}

/// A request as doors see it.
fn knock(request: &HttpRequest) -> Knock<'_> {
    Knock { headers: request.headers(), target: request.uri(), peer: peer(request) }
}

fn peer(request: &HttpRequest) -> IpAddr {
    request.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip())
}

/// What answers where nothing is.
pub async fn no_route() -> HttpResponse {
    ApiError::not_found("there is nothing at this address").error_response()
}

/// What answers the methods that a resource does not take.
pub fn only(methods: &'static str) -> actix_web::Route {
    only_or(methods, ApiError::only)
}

/// The same, with an error of another shape.
fn only_or<E: ResponseError + 'static>(methods: &'static str, error: fn(&'static str) -> E) -> actix_web::Route {
    web::to(move || async move { error(methods).error_response() })
}

/// Where a request comes from, behind trusted proxies too.
pub fn client_address(request: &HttpRequest, state: &State) -> IpAddr {
    client_of(&knock(request), &state.trusted_proxies).address
}

/// An address that is read alone.
pub fn read<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path)
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .default_service(only("GET, HEAD"))
}
