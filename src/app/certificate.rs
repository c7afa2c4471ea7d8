//! The certificate of the public listener: the one that the settings name.

use std::sync::Arc;

use super::AppError;
use crate::settings::Settings;
use crate::tls::{Files, Listening};

/// What the public listener shows, if it is one with TLS.
pub(super) fn of(settings: &Settings) -> Result<Option<Arc<Listening>>, AppError> {
    let server = &settings.server;
    if !server.has_tls() {
        return Ok(None);
    }
    let files = Files { certificate: server.tls_cert.clone(), key: server.tls_key.clone() };
    let listening = Listening::with(files).map_err(|fault| AppError::Settings(fault.to_string()))?;
    Ok(Some(Arc::new(listening)))
}
