//! Whether a node would work as it is configured, found out before it serves: each thing that it depends on is tried once, all of
//! them side by side, and nothing is left behind.

mod backends;
mod descriptors;
mod finding;
mod holder;
mod hook;
mod jwks;
mod layer;
mod masks;
mod names;
mod ports;
mod redis;
mod report;
mod settings;
mod tls;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

pub use finding::{Area, Finding, Severity};
pub use report::Report;

use crate::settings::{LoadFrom, Settings};

/// What one probe may take. Whoever answers later is too late for a node as well.
const PROBE: Duration = Duration::from_secs(2);

/// What one area brings to light.
type Probe<'a> = Pin<Box<dyn Future<Output = Vec<Finding>> + 'a>>;

/// Loads the settings and tries all that they name. With `ask` each model is asked for one token, which costs as much. The process's
/// TLS provider must be installed before, see [`crate::tls::install`].
pub async fn check(from: &LoadFrom, ask: bool) -> Report {
    let (mut findings, loaded) = settings::findings(from);
    if let Some(settings) = loaded {
        findings.extend(probed(&settings, ask).await);
        masks::hide(&settings, &mut findings);
    }
    Report::of(findings)
}

async fn probed(settings: &Settings, ask: bool) -> Vec<Finding> {
    let probes: Vec<Probe<'_>> = vec![
        Box::pin(redis::findings(settings)),
        Box::pin(backends::findings(settings, ask)),
        Box::pin(in_time("hook_silent", Area::Hook, "auth.hook_url", hook::findings(settings))),
        Box::pin(in_time("jwks_silent", Area::Jwks, "auth.jwks_url", jwks::findings(settings))),
        Box::pin(async { tls::findings(settings) }),
        Box::pin(ports::findings(settings)),
        Box::pin(async { descriptors::findings(settings) }),
    ];
    join_all(probes).await.into_iter().flatten().collect()
}

/// What a probe finds; or, by this code, that it came to no end.
async fn in_time(
    code: &'static str,
    area: Area,
    subject: &str,
    probe: impl Future<Output = Vec<Finding>>,
) -> Vec<Finding> {
    timeout(PROBE, probe).await.unwrap_or_else(|_| {
        let found = format!("it does not answer within {} s", PROBE.as_secs());
        let advice = "see that it runs, and that this machine reaches it";
        vec![Finding::fault(code, area, subject, found, "a node would wait for it in vain", advice)]
    })
}
