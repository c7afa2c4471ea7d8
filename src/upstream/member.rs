//! One backend of several: which models it is asked for, how it fares, and one request to it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use sophie_actors::ledger::Price;
use sophie_actors::metrics::Metrics;
use sophie_actors::openai::BackendRequest;
use sophie_actors::protocol::{timestamp_of, unix_ms};
use tokio::time::Instant;

use super::blame::Blame;
use super::breaker::{Breaker, Entry, Patience, State};
use super::call::Call;
use super::fleet::Fleet;
use super::openai::OpenAi;
use super::options::{BadOptions, OpenAiOptions};
use crate::auth::patterns::Pattern;

/// A backend as the settings describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberOptions {
    /// What it is called in logs, metrics and admin.
    pub name: String,
    /// Patterns of the models that it is asked for.
    pub models: Vec<String>,
    /// Its address as people may see it.
    pub url: String,
    /// How it is reached.
    pub reach: OpenAiOptions,
}

/// A backend as operators see it.
#[derive(Debug, Clone, Serialize)]
pub struct BackendView {
    /// What it is called.
    pub name: String,
    /// Patterns of the models that it is asked for.
    pub models: Vec<String>,
    /// Its address, without secrets.
    pub url: String,
    /// `closed` (it is asked), `open` (it is left out) or `half_open` (one request tries it).
    pub state: &'static str,
    /// Since when, RFC 3339.
    pub since: String,
    /// Milliseconds until it is tried again, while it is left out.
    pub retry_in_ms: Option<u64>,
    /// Failures in a row.
    pub consecutive_failures: u32,
    /// Requests to it since the start of this node.
    pub requests: u64,
    /// Those that failed by its fault.
    pub failures: u64,
    /// The last of them.
    pub last_error: Option<LastError>,
}

/// What a backend failed with last.
#[derive(Debug, Clone, Serialize)]
pub struct LastError {
    /// When, RFC 3339.
    pub at: String,
    /// What, without secrets.
    pub detail: String,
}

pub(super) struct Record {
    pub(super) breaker: Breaker,
    requests: u64,
    pub(super) failures: u64,
    /// When it failed last, how, and whose fault that was.
    pub(super) last: Option<(u64, String, Blame)>,
}

/// One backend of several.
pub struct Member {
    /// As the settings have it.
    options: MemberOptions,
    /// Tells it from every other one of this fleet, of its name too.
    id: u64,
    patterns: Vec<Pattern>,
    /// Whether it is asked for another model than the caller names.
    pub renames: bool,
    /// The way to it.
    pub client: OpenAi,
    record: Mutex<Record>,
    fleet: Arc<Fleet>,
}

impl Member {
    /// Checks the options; it is usable until it fails, and counts for nothing until the fleet takes it.
    pub fn new(options: MemberOptions, patience: Patience, fleet: Arc<Fleet>) -> Result<Self, BadOptions> {
        let breaker = Breaker::new(patience, Instant::now());
        let reach = OpenAiOptions { name: options.name.clone(), ..options.reach.clone() };
        Ok(Self {
            patterns: options.models.iter().map(|text| Pattern::from(text.as_str())).collect(),
            options,
            id: fleet.next_id(),
            renames: !reach.model.is_empty(),
            client: OpenAi::new(reach)?,
            record: Mutex::new(Record { breaker, requests: 0, failures: 0, last: None }),
            fleet,
        })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// Which one of its fleet.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Whether it is one of these options.
    pub(super) fn is_of(&self, options: &MemberOptions) -> bool {
        self.options == *options
    }

    /// Whether it is asked for this model.
    pub fn serves(&self, model: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(model))
    }

    /// The models that the settings name without a wildcard.
    pub fn named_models(&self) -> impl Iterator<Item = &str> {
        self.options.models.iter().map(String::as_str).filter(|model| !model.contains(['*', '?']))
    }

    /// Whether a request would be let in now.
    pub fn is_usable(&self) -> bool {
        self.record().breaker.admits(Instant::now())
    }

    /// Whether it is asked as usual.
    pub fn is_available(&self) -> bool {
        self.record().breaker.state() == State::Closed
    }

    /// Begins a request, unless it is left out: then for how long, and whose fault that is. The `only` backend that has a model is
    /// never left out: to ask it is no worse than not to.
    pub fn enter(self: &Arc<Self>, request: &BackendRequest, only: bool) -> Result<Call, (Duration, Option<Blame>)> {
        let enter = |breaker: &mut Breaker, now| if only { breaker.force(now) } else { breaker.enter(now) };
        let entry = self.change(|record, now| match enter(&mut record.breaker, now) {
            Entry::Out(wait) => Err((wait, record.last.as_ref().map(|(_, _, blame)| *blame))),
            entry => {
                record.requests += 1;
                Ok(entry)
            }
        })?;
        Ok(Call::new(self, entry, request))
    }

    /// The model that it is asked for.
    pub(super) fn model_for(&self, request: &BackendRequest) -> String {
        if self.renames { self.client.model().to_owned() } else { request.body.text("model").unwrap_or_default() }
    }

    /// What the model costs that the caller named.
    pub(super) fn price_of(&self, request: &BackendRequest) -> Price {
        self.fleet.price(&request.body.text("model").unwrap_or_default())
    }

    /// The figures.
    pub(super) fn metrics(&self) -> &Metrics {
        self.fleet.metrics()
    }

    /// How it fares.
    pub fn view(&self) -> BackendView {
        let now = Instant::now();
        let record = self.record();
        let state = record.breaker.state();
        // Rounded up, so that 0 is now.
        let millis = |span: Duration| u64::try_from(span.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX);
        let since = unix_ms().saturating_sub(millis(now.saturating_duration_since(record.breaker.since())));
        BackendView {
            name: self.options.name.clone(),
            models: self.options.models.clone(),
            url: self.options.url.clone(),
            state: state.name(),
            since: timestamp_of(since),
            retry_in_ms: state.until().map(|until| millis(until.saturating_duration_since(now))),
            consecutive_failures: record.breaker.failures(),
            requests: record.requests,
            failures: record.failures,
            last_error: record
                .last
                .as_ref()
                .map(|(at, detail, _)| LastError { at: timestamp_of(*at), detail: detail.clone() }),
        }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the record, and tells of it if the backend came or went.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Record, Instant) -> T) -> T {
        let now = Instant::now();
        let mut record = self.record();
        let was_out = record.breaker.state() != State::Closed;
        let changed = change(&mut record, now);
        let state = record.breaker.state();
        if was_out != (state != State::Closed) {
            // Under the lock, so that two changes are told in their order.
            let name = self.name();
            self.fleet.turned(self.id, was_out);
            if let Some(until) = state.until() {
                let cause = record.last.as_ref().map_or("", |(_, detail, _)| detail.as_str());
                let out = until.saturating_duration_since(now).as_millis();
                let failures = record.breaker.failures();
                log::warn!(
                    event = "backend_left_out", backend = name, state = "open", out_ms = out, failures, cause;
                    "an AI backend is left out for a while"
                );
            } else {
                log::info!(event = "backend_back", backend = name, state = "closed"; "an AI backend is asked again");
            }
        }
        changed
    }
}
