//! Who holds the port of this configuration: a Sophie of it that runs, or somebody else.

use std::time::Duration;

use serde_json::Value;

use crate::settings::Settings;

/// What one request may take: it goes to this machine.
const WAIT: Duration = Duration::from_secs(1);

/// Who listens where a node would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// A node of this configuration.
    Ours,
    /// A node; of which configuration cannot be told without an admin token, or while it has no Redis.
    Sophie,
    /// A node that does not take the admin token of this configuration, or has another name.
    Other,
    /// Another program, or nobody.
    Stranger,
}

/// Asks whoever listens there. The admin token is told to nobody who does not answer as a node does.
pub(super) async fn holder(settings: &Settings) -> Holder {
    let server = &settings.server;
    let Some(asking) = Asking::of(settings.operators_url()) else { return Holder::Stranger };
    if asking.get("/health/live", None).await.is_none_or(|(_, body)| body["status"] != "live") {
        return Holder::Stranger;
    }
    let token = settings.admin.token.expose();
    if token.is_empty() {
        return Holder::Sophie;
    }
    let body = match asking.get("/admin/api/nodes", Some(token)).await {
        Some((200, body)) => body,
        Some((401 | 403, _)) => return Holder::Other,
        // It takes the token, and cannot say more: this is asked most of all while something is away.
        _ => return Holder::Sophie,
    };
    let names = body["nodes"].as_array().into_iter().flatten().filter_map(|node| node["node"].as_str());
    // Whose name was taken has a number behind it.
    let is_named =
        |name: &str| name.strip_prefix(&server.node).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    if server.node.is_empty() || names.into_iter().any(is_named) { Holder::Ours } else { Holder::Other }
}

/// Whether whoever listens at the public address answers as a node does that has another one for its operators.
pub(super) async fn is_public_side(settings: &Settings) -> bool {
    let Some(asking) = Asking::of(settings.public_url()) else { return false };
    asking
        .get("/health/live", None)
        .await
        .is_some_and(|(status, body)| status == 404 && body["error"]["code"] == "not_found")
}

/// What asks one address.
struct Asking {
    http: reqwest::Client,
    root: String,
}

impl Asking {
    fn of(root: String) -> Option<Self> {
        // The certificate is for a name, and this is this machine.
        let http =
            reqwest::Client::builder().no_proxy().timeout(WAIT).tls_danger_accept_invalid_certs(true).build().ok()?;
        Some(Self { http, root })
    }

    /// Status and body.
    async fn get(&self, path: &str, token: Option<&str>) -> Option<(u16, Value)> {
        let mut request = self.http.get(format!("{}{path}", self.root));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.ok()?;
        Some((response.status().as_u16(), response.json().await.unwrap_or_default()))
    }
}
