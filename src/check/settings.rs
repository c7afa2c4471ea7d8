//! Which settings count: the files that were looked for, whether what they say can be meant, and what of it has no effect.

use super::finding::{Area, Finding};
use crate::settings::{LoadFrom, SECRET_BYTES, Settings};

/// What is found, and the settings if they could be loaded.
pub(super) fn findings(from: &LoadFrom) -> (Vec<Finding>, Option<Settings>) {
    let file = |file: crate::settings::SettingsFile| {
        let found = if file.is_there { "there" } else { "not there: nothing is read from it" };
        Finding::ok("settings_file", Area::Settings, file.name, found)
    };
    let mut findings: Vec<Finding> = from.files().into_iter().map(file).collect();
    let fault = |code, error: &crate::settings::SettingsError| {
        Finding::fault(
            code,
            Area::Settings,
            "all",
            error.to_string(),
            "a node does not start",
            "change what is named; docs/settings.md describes each setting",
        )
    };
    let loaded = match Settings::load(from) {
        Ok(loaded) => loaded,
        Err(error) => {
            findings.push(fault("settings_refused", &error));
            return (findings, None);
        }
    };
    findings.push(match loaded.settings.refuse_open_listening() {
        Ok(()) => Finding::ok("settings_ok", Area::Settings, "all", "read; `sophie settings` prints them"),
        Err(error) => fault("settings_open", &error),
    });
    findings.extend(loaded.warnings.iter().map(|unused| {
        Finding::warning(
            "settings_unused",
            Area::Settings,
            "all",
            unused.to_string(),
            "what was set does nothing",
            "take it out, or set what it needs",
        )
    }));
    if loaded.settings.auth.has_short_secret() {
        findings.push(Finding::warning(
            "settings_short_secret",
            Area::Settings,
            "auth.jwt_secret",
            format!("it has fewer than {SECRET_BYTES} bytes"),
            "it may be guessed from a token",
            "set a random one of 32 bytes or more",
        ));
    }
    (findings, Some(loaded.settings))
}
