//! What of the core changes when the settings are read again.

use std::sync::Arc;

use sophie_actors::backend::{Backend, DEMO_MODEL};
use sophie_actors::in_force::InForce;
use sophie_actors::ledger::Prices;
use sophie_actors::options::{AnswerOptions, LimitOptions};

use super::backend;
use crate::settings::{AiBackend, Settings};

/// What the actors look up at each piece of work; clones share it.
#[derive(Clone)]
pub(super) struct Adjustable {
    /// `[limits]`
    pub(super) limits: InForce<LimitOptions>,
    /// `[ai]`, as far as it is about conversations.
    pub(super) answers: InForce<AnswerOptions>,
    prices: InForce<Prices>,
    /// Whoever answers. What is under way ends with whom it began.
    pub(super) backend: InForce<Arc<dyn Backend>>,
}

impl Adjustable {
    /// As the settings say, with whoever answers and what that costs.
    pub(super) fn of(settings: &Settings, backend: Arc<dyn Backend>, prices: InForce<Prices>) -> Self {
        Self {
            limits: settings.limits.clone().into(),
            answers: answers(settings).into(),
            prices,
            backend: backend.into(),
        }
    }

    /// What models cost at the time.
    pub(super) fn prices(&self) -> Prices {
        at_the_time(&self.prices)
    }

    /// Takes what the settings say now, and whoever answers now if that is somebody else.
    pub(super) fn take(&self, settings: &Settings, backend: Option<Arc<dyn Backend>>) {
        self.limits.replace(settings.limits.clone());
        self.prices.replace(backend::prices(settings));
        // The model goes with whoever has it.
        if let Some(backend) = backend {
            self.backend.replace(backend);
        }
        self.answers.replace(answers(settings));
    }
}

/// Prices that are looked up anew for each model.
pub(super) fn at_the_time(prices: &InForce<Prices>) -> Prices {
    let prices = prices.clone();
    Arc::new(move |model| prices.get()(model))
}

fn answers(settings: &Settings) -> AnswerOptions {
    let mut answers = settings.ai.answers.clone();
    if settings.ai_backend() == AiBackend::Demo {
        // Clients are told who really answers.
        answers.model = DEMO_MODEL.into();
    }
    answers
}
