//! What operators did, each act as one line of the log: who, from where, for which request, what, and how it went.

use std::net::IpAddr;

use actix_web::dev::ServiceResponse;
use actix_web::http::{Method, StatusCode};
use sophie_actors::ids::cut;

/// Operators' acts are picked by this target.
const TARGET: &str = "sophie::audit";
/// There is one admin token, and so one operator.
const WHO: &str = "admin";
/// Bytes that are shown of what an act was about.
const LONGEST: usize = 300;

/// What an act has brought about, for its line: left in the extensions of the response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done {
    /// How many sockets, members or entries it was done to.
    pub(super) done: u64,
    /// How many nodes have yet to do it.
    pub(super) pending: usize,
}

/// Whether a request is an act, and no look.
pub(super) fn is_act(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Tells of an act, by its response. One that was refused is told as well.
pub(super) fn tell<B>(response: &ServiceResponse<B>, address: IpAddr) {
    let request = response.request();
    let pattern = request.match_pattern().unwrap_or_default();
    let act = name(request.method(), &pattern);
    let path = request.uri().path_and_query().map_or("", |it| it.as_str());
    let about = cut(path.strip_prefix("/admin/api/").unwrap_or(path), LONGEST);
    let done = response.response().extensions().get::<Done>().copied();
    let status = response.status();
    let outcome = match status {
        StatusCode::ACCEPTED if done.is_some_and(|it| it.pending > 0) => "pending",
        status if status.is_success() => "done",
        status if status.is_client_error() => "refused",
        _ => "failed",
    };
    log::info!(
        target: TARGET,
        event = "operator_act", act, who = WHO, address:%, about, outcome, status = status.as_u16(),
        done = done.map(|it| it.done), pending = done.map(|it| it.pending);
        "an operator acted"
    );
}

/// What an act is called.
fn name(method: &Method, pattern: &str) -> &'static str {
    let resource = pattern.strip_prefix("/admin/api").unwrap_or(pattern);
    match (method.as_str(), resource) {
        ("POST", "/groups/{group}/messages") => "speak",
        ("PUT", "/groups/{group}/assistant") => "assistant_on",
        ("DELETE", "/groups/{group}/assistant") => "assistant_off",
        ("DELETE", "/groups/{group}") => "end_group",
        ("DELETE", "/sessions/{session}") => "disconnect",
        ("DELETE", "/cache") => "purge_cache",
        ("DELETE", "/limits/{subject:.+}") => "give_back_limits",
        _ => "other",
    }
}
