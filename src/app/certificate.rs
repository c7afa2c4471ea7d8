//! The certificate of the public listener: the one that the settings name, and read again at SIGHUP.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

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

/// Reads it again at each order, and says what an order does not change.
pub(super) async fn follow(mut orders: mpsc::Receiver<()>, listening: Option<Arc<Listening>>) {
    while orders.recv().await.is_some() {
        match listening.clone() {
            Some(listening) => {
                // Files may lie on a disk that is slow.
                if spawn_blocking(move || listening.reload()).await.is_err() {
                    log::error!(
                        event = "certificate_kept";
                        "the certificate was not read: the one from before stays in use"
                    );
                }
                log::info!(
                    event = "hangup", signal = "SIGHUP";
                    "the certificate was read again, and nothing else: settings are read at the start alone"
                );
            }
            None => {
                log::info!(
                    event = "hangup", signal = "SIGHUP";
                    "nothing changed: settings are read at the start alone, restart to change them"
                );
            }
        }
    }
}
