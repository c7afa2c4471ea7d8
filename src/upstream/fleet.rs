//! What all backends share: the figures, and which of them are left out. Those that the settings have no more are forgotten.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sophie_actors::ledger::{Price, Prices};
use sophie_actors::metrics::Metrics;

use super::blame::Blame;
use super::member::Member;

/// The link to all of them, as the dependency knows it.
const BACKENDS: &str = "backends";

/// The backends in force, of one router after the other.
pub struct Fleet {
    metrics: Metrics,
    prices: Prices,
    ids: AtomicU64,
    /// By id.
    members: Mutex<BTreeMap<u64, Standing>>,
}

struct Standing {
    name: String,
    usable: bool,
}

impl Fleet {
    /// Without any.
    pub fn new(metrics: Metrics, prices: Prices) -> Self {
        Self { metrics, prices, ids: AtomicU64::new(0), members: Mutex::default() }
    }

    pub(super) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What a model costs at the time, by the name that callers ask for.
    pub(super) fn price(&self, model: &str) -> Price {
        (self.prices)(model).unwrap_or_default()
    }

    fn members(&self) -> MutexGuard<'_, BTreeMap<u64, Standing>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These are in force, and no others. Those that were stand as they stood.
    pub(super) fn takes(&self, taken: &[Arc<Member>]) {
        let mut members = self.members();
        let before = std::mem::take(&mut *members);
        for member in taken {
            let usable = before.get(&member.id()).is_none_or(|standing| standing.usable);
            members.insert(member.id(), Standing { name: member.name().to_owned(), usable });
            let requests = &self.metrics.backend_requests;
            let outcomes = Blame::ALL.map(Blame::outcome).into_iter().chain(["answered", "cancelled"]);
            outcomes.for_each(|outcome| _ = requests.with_label_values(&[member.name(), outcome]));
            _ = self.metrics.backend_cost.with_label_values(&[member.name()]);
            self.metrics.dependencies.ai.in_use();
        }
        for gone in before.values().filter(|gone| members.values().all(|there| there.name != gone.name)) {
            // An error means that there is no such figure.
            _ = self.metrics.backend_available.remove_label_values(&[&gone.name]);
        }
        self.tell(&members);
        if members.is_empty() {
            // Nobody is asked any more: this node answers by itself.
            self.metrics.dependencies.ai.out_of_use();
        }
    }

    /// One came or went. What becomes of one that is not in force is of no account.
    pub(super) fn turned(&self, id: u64, usable: bool) {
        // Held until it is told, so that the last word is the last change.
        let mut members = self.members();
        let Some(standing) = members.get_mut(&id) else { return };
        standing.usable = usable;
        self.tell(&members);
    }

    fn tell(&self, members: &BTreeMap<u64, Standing>) {
        for Standing { name, usable } in members.values() {
            self.metrics.backend_available.with_label_values(&[name]).set(i64::from(*usable));
        }
        let ai = &self.metrics.dependencies.ai;
        let all_out = !members.is_empty() && members.values().all(|standing| !standing.usable);
        if all_out { ai.lost(BACKENDS, "every backend is left out") } else { ai.found(BACKENDS) }
    }
}
