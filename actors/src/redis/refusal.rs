//! What one server refuses although it answers, noted by whoever is refused and by whoever tries all rights.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::dependencies::{Dependency, ServerRefusal, ServerRefusals};

/// What is wrong with a dependency whose server answers, but refuses what it is asked.
const REFUSES: &str = "refuses";
/// Rights that were tried so lately are not tried again for a new connection.
const TRIED: Duration = Duration::from_secs(10);

/// What one database's server refuses. While it does, it is tried again and again, since reads work all the time.
pub(crate) struct RefusalWatch {
    name: &'static str,
    dependencies: Vec<Dependency>,
    refusals: ServerRefusals,
    state: Mutex<State>,
}

struct State {
    refusal: Option<ServerRefusal>,
    /// Since when nothing is refused.
    fine_at: Instant,
    tried_at: Option<Instant>,
}

impl RefusalWatch {
    pub(crate) fn new(name: &'static str, dependencies: Vec<Dependency>, refusals: ServerRefusals) -> Self {
        let state = State { refusal: None, fine_at: Instant::now(), tried_at: None };
        Self { name, dependencies, refusals, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call was refused.
    pub(crate) fn note(&self, why: &str) {
        let mut state = self.state();
        if state.refusal.is_none() {
            self.change(&mut state, Some(ServerRefusal::Writes(why.to_owned())));
        }
    }

    /// Everything was tried.
    pub(crate) fn tried(&self, refusal: Option<ServerRefusal>) {
        let mut state = self.state();
        state.tried_at = refusal.is_none().then(Instant::now);
        if let (Some(ServerRefusal::Writes(_)), Some(ServerRefusal::Writes(_))) = (&state.refusal, &refusal) {
            return;
        }
        if state.refusal != refusal {
            self.change(&mut state, refusal);
        }
    }

    /// Under the lock, so that what is told last is how it is.
    fn change(&self, state: &mut State, refusal: Option<ServerRefusal>) {
        match &refusal {
            None => {
                state.fine_at = Instant::now();
                self.dependencies.iter().for_each(|dependency| dependency.found(REFUSES));
            }
            Some(ServerRefusal::Writes(why)) => {
                self.dependencies.iter().for_each(|dependency| dependency.lost(REFUSES, why));
            }
            Some(ServerRefusal::Rights(missing)) => {
                let missing = missing.join(" ");
                log::error!(
                    event = "redis_rights_missing", database = self.name, missing;
                    "redis does not give this node all rights that it needs"
                );
                let why = format!("missing rights: {missing}");
                self.dependencies.iter().for_each(|dependency| dependency.lost(REFUSES, &why));
            }
        }
        self.refusals.set(self.name, refusal.clone());
        state.refusal = refusal;
    }

    pub(crate) fn is_set(&self) -> bool {
        self.state().refusal.is_some()
    }

    /// Whether a new connection's rights are to be tried.
    pub(crate) fn is_to_be_tried(&self) -> bool {
        self.state().tried_at.is_none_or(|at| at.elapsed() >= TRIED)
    }

    /// Another server may be behind the next connection.
    pub(crate) fn forget(&self) {
        self.state().tried_at = None;
    }

    /// How long nothing has been refused; `None` while something is.
    pub(crate) fn fine_for(&self) -> Option<Duration> {
        let state = self.state();
        state.refusal.is_none().then(|| state.fine_at.elapsed())
    }
}
