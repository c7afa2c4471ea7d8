//! The application that decides who comes in, or tells the model who asks: whether it answers as it should to somebody who shows
//! nothing.

use std::sync::Arc;

use sophie_actors::metrics::Metrics;
use sophie_actors::store::memory::MemoryGeneralCache;

use super::finding::{Area, Finding};
use crate::auth::hook::{Hook, Verdict};
use crate::settings::{AuthMode, Settings};

const SUBJECT: &str = "auth.hook_url";

pub(super) async fn findings(settings: &Settings) -> Vec<Finding> {
    let auth = &settings.auth;
    if auth.mode == AuthMode::None || auth.hook_url.is_empty() {
        return Vec::new();
    }
    let url = &auth.hook_url;
    let said = match Hook::from(settings, Arc::new(MemoryGeneralCache::default()), Metrics::new()) {
        Ok(hook) => hook.try_once().await,
        Err(error) => Err(error.to_string()),
    };
    let means = match auth.mode {
        AuthMode::Hook => "nobody comes in",
        _ => "the model is not told who asks",
    };
    vec![match said {
        Ok(Verdict::Granted(_)) => {
            Finding::ok("hook_ok", Area::Hook, SUBJECT, format!("{url} lets in whoever shows nothing"))
        }
        Ok(_) => {
            Finding::ok("hook_ok", Area::Hook, SUBJECT, format!("{url} answers, and refuses whoever shows nothing"))
        }
        Err(reason) => Finding::fault(
            "hook_broken",
            Area::Hook,
            SUBJECT,
            format!("{url}: {reason}"),
            means,
            "let that address answer a POST with 200 and JSON, 401 or 403, without a redirect to a log-in page; docs/http.md has the form",
        ),
    }]
}
