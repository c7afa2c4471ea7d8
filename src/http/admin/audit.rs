//! What operators did, each act as one line of the log and an entry of a list that is kept: who, from where, for which request, what,
//! and how it went.

use std::net::IpAddr;

use actix_web::dev::ServiceResponse;
use actix_web::http::{Method, StatusCode};
use log::Level;
use sophie_actors::ids::{RequestId, cut};
use sophie_actors::node::Node;
use sophie_actors::protocol::timestamp;
use sophie_actors::repeated::{Line, Repeated};
use sophie_actors::store::OperatorAct;

use crate::auth::bearer::Operator;

/// Operators' acts are picked by this target.
const TARGET: &str = "sophie::audit";
/// Who holds a token to look with may send as many as they like.
static REFUSED: Repeated = Repeated::of(TARGET, Level::Info);
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

/// Tells of an act, by its response, and keeps it. One that was refused is told and kept as well.
pub(super) async fn tell<B>(response: &ServiceResponse<B>, who: Operator, address: IpAddr, node: &Node) {
    let act = of(response, who, address);
    line(&act);
    if let Err(error) = node.stores.acts.add(&act).await {
        log::debug!(error:%; "an act is not kept, its line stands in the log");
        node.metrics.store_failed("audit");
    }
}

/// Tells of an act that was refused to who may only look: the first at once, a crowd by its number.
pub(super) fn tell_refused<B>(response: &ServiceResponse<B>, who: Operator, address: IpAddr) {
    REFUSED.log("view", || {
        let OperatorAct { act, who, address, about, outcome, status, .. } = of(response, who, address);
        let line = Line::of("operator_act", "an operator acted").with("act", act).with("who", who);
        line.with("address", address).with("about", about).with("outcome", outcome).with("status", status)
    });
}

fn of<B>(response: &ServiceResponse<B>, who: Operator, address: IpAddr) -> OperatorAct {
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
    OperatorAct {
        at: timestamp(),
        act: act.to_owned(),
        who: who.as_str().to_owned(),
        address: address.to_string(),
        about: about.to_owned(),
        outcome: outcome.to_owned(),
        status: status.as_u16(),
        request_id: RequestId::current().map(|id| id.to_string()),
        done: done.map(|it| it.done),
        pending: done.map(|it| it.pending),
    }
}

fn line(it: &OperatorAct) {
    log::info!(
        target: TARGET,
        event = "operator_act", act = it.act, who = it.who, address = it.address, about = it.about, outcome = it.outcome,
        status = it.status, done = it.done, pending = it.pending;
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
        ("DELETE", "/waiting/{group}") => "dismiss",
        ("DELETE", "/sessions/{session}") => "disconnect",
        ("DELETE", "/cache") => "purge_cache",
        ("DELETE", "/limits/{subject:.+}") => "give_back_limits",
        _ => "other",
    }
}
