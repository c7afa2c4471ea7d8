//! For operators: what somebody has left of the limits, and giving it back.

use std::cmp::Reverse;
use std::net::IpAddr;

use actix_web::web::{self, Data, Path};
use actix_web::{HttpResponse, Resource};
use serde_json::{Value, json};
use sophie_actors::admission::{Application, Subject};
use sophie_actors::cluster::whereabouts;
use sophie_actors::ids::{GroupName, UserId};
use sophie_actors::protocol::{Refusal, timestamp_of, unix_ms};

use super::super::{ApiError, State, only};

/// `/admin/api/limits/{subject}`
pub(super) fn resource() -> Resource {
    // Users are named by applications: there may be slashes in it.
    web::resource("/limits/{subject:.+}")
        .route(web::get().to(look))
        .route(web::delete().to(restore))
        .default_service(only("GET, DELETE"))
}

/// Whom a path speaks of: `user:NAME`, `address:IP`, `group:NAME`, `key:NAME`, `service`; a bare address, or a bare user.
fn subject(text: &str) -> Result<Subject, ApiError> {
    // Of IPv6 a network of 64 bits counts as one: any address in it names it, and so does the network as it is shown.
    let address = |text: &str| {
        let bare = text.strip_suffix("/64").filter(|bare| bare.contains(':')).unwrap_or(text);
        bare.parse::<IpAddr>().map(|address| Subject::Address(address.to_canonical()))
    };
    if let Ok(address) = address(text) {
        return Ok(address);
    }
    match text.split_once(':') {
        _ if text == "service" => Ok(Subject::Service),
        Some((_, "")) => Err(ApiError::bad_request("whose limits? The name is empty")),
        Some(("user", name)) => Ok(Subject::User(UserId::from(name))),
        Some(("key", name)) => Ok(Subject::Key(Application { name: name.to_owned(), ..Application::default() })),
        Some(("address", ip)) => address(ip).map_err(|_| ApiError::bad_request("that is no IP address")),
        Some(("group", name)) => {
            GroupName::parse(name).map(Subject::Group).map_err(|bad| ApiError::bad_request(bad.to_string()))
        }
        _ => Ok(Subject::User(UserId::from(text))),
    }
}

/// With a key's own limits, if it has any.
fn own(state: &State, subject: Subject) -> Subject {
    match subject {
        Subject::Key(named) => {
            Subject::Key(state.policy().api_keys.named(&named.name).map_or(named, |holder| holder.application()))
        }
        other => other,
    }
}

/// `GET /admin/api/limits`: who is at the edge. Those whom limits refused in the last quarter of an hour, the last one first; with a node
/// each, since a limit that nodes share can refuse at any of them.
pub(super) async fn edge(state: Data<State>) -> Result<HttpResponse, ApiError> {
    let nodes = whereabouts::nodes(&state.node).await?;
    let mut all: Vec<_> =
        nodes.into_iter().flat_map(|node| node.edge.into_iter().map(move |it| (node.node.clone(), it))).collect();
    all.sort_by_key(|(_, refused)| Reverse(refused.last_ms));
    let rows = all.into_iter().map(|(node, refused)| {
        json!({
            "subject": refused.subject,
            "limit": refused.limit,
            "refused": refused.times,
            "last_at": timestamp_of(refused.last_ms),
            "node": node,
        })
    });
    Ok(HttpResponse::Ok().json(json!({"edge": rows.collect::<Vec<_>>()})))
}

async fn look(name: Path<String>, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let subject = own(&state, subject(&name)?);
    Ok(HttpResponse::Ok().json(left(&state, subject).await?))
}

async fn restore(name: Path<String>, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let subject = own(&state, subject(&name)?);
    let name = subject.to_string();
    let restored = state.node.limiter.restore(subject.clone()).await;
    restored.map_err(|_| Refusal::internal())??;
    state.node.metrics.edge.forget(&name);
    Ok(HttpResponse::Ok().json(left(&state, subject).await?))
}

async fn left(state: &State, subject: Subject) -> Result<Value, ApiError> {
    let name = subject.to_string();
    let left = state.node.limiter.look(subject).await;
    let left = left.map_err(|_| Refusal::internal())??;
    let now = unix_ms();
    let limits = left.into_iter().map(|(limit, quota)| {
        json!({
            "name": limit.label(),
            "limit": quota.limit,
            "remaining": quota.remaining,
            "reset_at": timestamp_of(now.saturating_add(quota.reset_ms)),
        })
    });
    Ok(json!({"subject": name, "limits": limits.collect::<Vec<_>>()}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_named_by_its_kind_or_is_a_user_or_an_address() {
        let named = |text: &str| subject(text).map(|subject| subject.to_string()).ok();
        for (text, name) in [
            ("alice", "user:alice"),
            ("user:service", "user:service"),
            ("user:10.0.0.1", "user:10.0.0.1"),
            ("guest:s1", "user:guest:s1"),
            ("10.0.0.1", "address:10.0.0.1"),
            ("address:::1", "address:::1"),
            ("::ffff:10.0.0.1", "address:10.0.0.1"),
            ("2001:db8:1:2::5", "address:2001:db8:1:2::/64"),
            ("address:2001:db8:1:2::/64", "address:2001:db8:1:2::/64"),
            ("group:team-7", "group:team-7"),
            ("key:site", "key:site"),
            ("service", "service"),
        ] {
            assert_eq!(named(text).as_deref(), Some(name), "{text}");
        }
        for bad in ["user:", "address:here", "address:10.0.0.1/64", "group:a b", "key:"] {
            assert_eq!(named(bad), None, "{bad}");
        }
    }
}
