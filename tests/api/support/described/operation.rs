//! Which operation of the OpenAPI document a request asks for, and what it says of a response.

use serde_json::Value;

use super::{DESCRIBED, Document};

/// What is described of a response.
pub(super) struct Expected {
    /// The document.
    pub(super) document: &'static Document,
    /// The response.
    pub(super) response: &'static Value,
}

/// How badly a path fits one that is described: how many of its parts that one does not spell out. `None`: not at all.
fn fits(described: &str, path: &str) -> Option<usize> {
    let is_name = |part: &str| part.starts_with('{');
    let (wanted, parts): (Vec<&str>, Vec<&str>) = (described.split('/').collect(), path.split('/').collect());
    // There may be slashes in what stands last.
    let is_open = wanted.last().is_some_and(|last| ["{model}", "{file}", "{subject}"].contains(last));
    if parts.len() < wanted.len() || (parts.len() > wanted.len() && !is_open) {
        return None;
    }
    let all = wanted.iter().zip(&parts).all(|(wanted, part)| (is_name(wanted) && !part.is_empty()) || wanted == part);
    all.then(|| parts.len() - wanted.iter().filter(|part| !is_name(part)).count())
}

/// As the program reads a path: without what follows it, and without slashes that say nothing.
fn tidy(target: &str) -> String {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    format!("/{}", parts.join("/"))
}

/// What is described of a response with this status; `None`: nothing is described at this address.
///
/// # Errors
/// The address is described, and this is not.
pub(super) fn expected(method: &str, target: &str, status: u16) -> Result<Option<Expected>, String> {
    let document = &DESCRIBED.openapi;
    let path = tidy(target);
    let paths = document.value["paths"].as_object().expect("paths");
    let fitting = paths.iter().filter_map(|(described, item)| Some((fits(described, &path)?, item)));
    let Some((_, item)) = fitting.min_by_key(|(fit, _)| *fit) else { return Ok(None) };
    let operation = item.get(method.to_lowercase());
    if operation.is_none() && status < 400 && method != "OPTIONS" {
        return Err(format!("{method} {target} was answered by {status}, and is not described"));
    }
    // Whoever asks what an address does not take is refused in its own words.
    let Some(operation) = operation.or_else(|| item.as_object()?.values().next()) else { return Ok(None) };
    let responses = &operation["responses"];
    let default = responses.get("default").filter(|_| status >= 400);
    match responses.get(status.to_string()).or(default) {
        Some(response) => Ok(Some(Expected { document, response: document.resolved(response) })),
        None if method == "OPTIONS" => Ok(None),
        None => Err(format!("{method} {target} was answered by {status}, which is not described")),
    }
}

#[test]
fn a_path_is_the_one_that_fits_best() {
    assert_eq!(fits("/v1/models/{model}", "/v1/models/a/b"), Some(2));
    assert_eq!(fits("/ag-ui/{model}", "/ag-ui/threads/t"), Some(2));
    assert_eq!(fits("/ag-ui/threads/{thread}", "/ag-ui/threads/t"), Some(1));
    assert_eq!(fits("/ag-ui/capabilities", "/ag-ui/capabilities"), Some(0));
    assert_eq!(fits("/ws/chat/{session}", "/ws/chat/a/b"), None);
    assert_eq!(tidy("//v1/models/?x=1"), "/v1/models");
}
