//! SIGHUP: the settings are read again, and what can be taken over without a restart is. All of it, or nothing if anything is wrong.

use std::sync::Arc;

use actix_web::web::Data;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::adjustable::Adjustable;
use super::backend::{self, Answering};
use super::{AppError, Program, policy};
use crate::http::{Policy, State};
use crate::logging;
use crate::settings::{Changes, Layers, LoadFrom, Settings};
use crate::tls::{Certificate, Listening};

/// What is needed to read the settings again.
pub(super) struct Reload {
    from: LoadFrom,
    /// The settings in force.
    origins: Layers,
    state: Data<State>,
    tls: Option<Arc<Listening>>,
    adjustable: Adjustable,
}

/// What whoever answers is made of. While none of it changes they stay, with the lists of models that they have fetched.
const OF_BACKENDS: &[&str] = &[
    "ai.backend",
    "ai.base_url",
    "ai.api",
    "ai.api_key",
    "ai.model",
    "ai.max_answer_bytes",
    "ai.max_event_bytes",
    "ai.connect_seconds",
    "ai.first_chunk_seconds",
    "ai.idle_seconds",
    "ai.total_seconds",
    "ai.retries",
    "ai.backends",
];

/// What new settings come to, all of it at hand: nothing can fail any more.
struct Ready {
    changes: Changes,
    policy: Policy,
    certificate: Option<Certificate>,
    /// Whoever answers, if that changes.
    answering: Option<Answering>,
}

impl Reload {
    /// For a program that was built with these settings.
    pub(super) fn of(program: &Program, from: LoadFrom, origins: Layers) -> Self {
        let (state, tls, adjustable) = (program.state.clone(), program.tls.clone(), program.adjustable.clone());
        Self { from, origins, state, tls, adjustable }
    }

    /// Reads them again at each order, for ever.
    pub(super) async fn follow(mut self, mut orders: mpsc::Receiver<()>) {
        while orders.recv().await.is_some() {
            match self.read().await {
                Ok(ready) => self.take(ready),
                Err(error) => log::error!(
                    event = "settings_refused", signal = "SIGHUP", reason:% = error;
                    "the settings are not taken, those from before stay in force"
                ),
            }
        }
    }

    async fn read(&self) -> Result<Ready, AppError> {
        let (from, tls) = (self.from.clone(), self.tls.clone());
        // Files may lie on a disk that is slow.
        let read = spawn_blocking(move || {
            let loaded = Settings::load(&from).map_err(|error| error.to_string())?;
            let certificate = tls.map(|tls| tls.read()).transpose().map_err(|fault| fault.to_string())?;
            Ok::<_, String>((loaded, certificate))
        });
        let read = read.await.unwrap_or_else(|_| Err("they were not read to their end".to_owned()));
        let (loaded, certificate) = read.map_err(AppError::Settings)?;
        let changes =
            Changes::between(&self.origins, &loaded).map_err(|error| AppError::Settings(error.to_string()))?;
        for warning in &loaded.warnings {
            log::warn!(event = "settings_warning", reason:% = warning; "a setting should be looked at");
        }
        let (before, node) = (self.state.policy(), &self.state.node);
        let answering = changes.takes_any(OF_BACKENDS).then(|| {
            let before = before.router.as_deref();
            backend::after(before, &changes.settings, &node.metrics, self.adjustable.prices())
        });
        let answering = answering.transpose()?;
        let router = answering.as_ref().map_or_else(|| before.router.clone(), |(_, router)| router.clone());
        let policy = policy::after(&before, &changes, (&node.stores, &node.metrics), router)?;
        Ok(Ready { changes, policy, certificate, answering })
    }

    fn take(&mut self, Ready { changes, policy, certificate, answering }: Ready) {
        let Changes { settings, origins, mut taken, needs_restart } = changes;
        let before = self.state.policy();
        policy::tell(&before, &policy);
        if let Some((_, router)) = &answering {
            match (router, &before.router) {
                (Some(router), _) => router.enter(),
                (None, Some(before)) => before.leave(),
                (None, None) => {}
            }
        }
        self.adjustable.take(&settings, answering.map(|(backend, _)| backend));
        self.state.in_force.replace(policy);
        if let (Some(tls), Some(certificate)) = (&self.tls, certificate)
            && tls.show(certificate)
        {
            // The file says something else, though the setting names the same one.
            taken.push("server.tls_cert");
        }
        logging::change(&settings.log, self.from.log_filters());
        self.origins = origins;
        tell(&taken, &needs_restart);
    }
}

fn tell(taken: &[&str], needs_restart: &[&str]) {
    let (taken, restart) = (taken.join(","), needs_restart.join(","));
    if !needs_restart.is_empty() {
        log::warn!(
            event = "settings_reloaded", signal = "SIGHUP", taken, needs_restart = restart;
            "the settings were read again, some of what changed needs a restart"
        );
    } else if taken.is_empty() {
        log::info!(
            event = "settings_reloaded", signal = "SIGHUP", taken, needs_restart = restart;
            "the settings were read again, nothing changed"
        );
    } else {
        log::info!(
            event = "settings_reloaded", signal = "SIGHUP", taken, needs_restart = restart;
            "the settings were read again and taken over"
        );
    }
}
