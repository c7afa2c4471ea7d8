//! The node that is looked at, by its admin API and its metrics.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::Value;

use super::TopError;
use super::figures::Figures;
use super::look::Look;
use crate::settings::Settings;

/// What one look may take.
const WAIT: Duration = Duration::from_secs(3);
/// Groups that are looked at for the largest of them.
const GROUPS: &str = "/admin/api/groups?limit=1000";

/// Why a look brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No token is set here.
    #[error(
        "admin.token is not set: set SOPHIE__ADMIN__TOKEN to the token of the node (it logs the one that it makes up at its start)"
    )]
    NoToken,
    /// The node takes another token.
    #[error("{0} does not take this admin token: set SOPHIE__ADMIN__TOKEN to the token of that node")]
    Refused(String),
    /// Nobody answers.
    #[error("no node answers at {0}: {1}; start one there, or name another by --url")]
    Away(String, String),
    /// Whoever answers is no node, or one with another port for its operators.
    #[error("{0} does not answer as a node does (status {1}): with admin.bind, name that address by --url")]
    NoNode(String, u16),
}

/// A node and how it is asked.
pub(super) struct Node {
    http: Client,
    root: String,
    token: String,
}

impl Node {
    /// The one of the settings, or the one at `url`, which takes the token of the settings all the same.
    pub(super) fn of(settings: &Settings, url: Option<String>) -> Result<Self, TopError> {
        let token = settings.admin.token.expose().to_owned();
        if token.is_empty() {
            return Err(Trouble::NoToken.into());
        }
        // The certificate of a node on this machine is for another name than its address.
        let builder = Client::builder().timeout(WAIT).tls_danger_accept_invalid_certs(url.is_none());
        let builder = if url.is_none() { builder.no_proxy() } else { builder };
        let http = builder.build().map_err(|error| TopError::Setup(error.to_string()))?;
        let root = url.unwrap_or_else(|| settings.operators_url()).trim_end_matches('/').to_owned();
        Ok(Self { http, root, token })
    }

    /// Where it is.
    pub(super) fn place(&self) -> &str {
        &self.root
    }

    /// Asks for everything that is shown, side by side.
    pub(super) async fn look(&self) -> Result<Look, Trouble> {
        let json = async |path: &str| {
            let text = self.get(path).await?;
            Ok(serde_json::from_str::<Value>(&text).unwrap_or_default())
        };
        let (metrics, ready, nodes, groups, answers, usage, cache, backends, redis) = tokio::try_join!(
            self.get("/metrics"),
            json("/health/ready"),
            json("/admin/api/nodes"),
            json(GROUPS),
            json("/admin/api/answers"),
            json("/admin/api/usage?limit=1"),
            json("/admin/api/cache"),
            json("/admin/api/backends"),
            json("/admin/api/redis"),
        )?;
        let figures = Figures::read(&metrics);
        Ok(Look { figures, ready, nodes, groups, answers, usage, cache, backends, redis })
    }

    async fn get(&self, path: &str) -> Result<String, Trouble> {
        let away = |error: reqwest::Error| {
            let error = error.without_url();
            let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
            let said = causes.last().map_or_else(|| error.to_string(), ToString::to_string);
            Trouble::Away(self.root.clone(), said)
        };
        let asked = self.http.get(format!("{}{path}", self.root)).bearer_auth(&self.token).send().await;
        let response = asked.map_err(away)?;
        match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Trouble::Refused(self.root.clone())),
            // Readiness, or a list that lies in a Redis that is away.
            status if status.is_success() || status == StatusCode::SERVICE_UNAVAILABLE => {
                response.text().await.map_err(away)
            }
            status => Err(Trouble::NoNode(self.root.clone(), status.as_u16())),
        }
    }
}
