//! One thing that a node depends on.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::IntGaugeVec;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::protocol::timestamp;

/// How long a dependency must give no trouble until it counts as well.
const STEADY: Duration = Duration::from_secs(1);
/// One that fails again that soon after it was well is given twice the time, up to [`MAX_STEADY`].
const AGAIN: Duration = Duration::from_secs(5);
const MAX_STEADY: Duration = Duration::from_secs(8);
/// One thing that a node depends on. Clones share it.
#[derive(Debug, Clone)]
pub struct Dependency(Arc<Inner>);

/// How one is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doing {
    /// As in the metric `sophie_degraded`.
    pub dependency: &'static str,
    /// What is done in its stead, while it is degraded.
    pub mode: Option<&'static str>,
    /// Since when it is so (RFC 3339); none if it has always been well.
    pub since: Option<String>,
}

#[derive(Debug)]
struct Inner {
    name: &'static str,
    mode: &'static str,
    gauge: IntGaugeVec,
    /// Whether good news counts once it has held, not at once.
    must_hold: bool,
    /// How many are degraded of those that are away together, this one among them.
    degraded: Arc<AtomicUsize>,
    /// Set with the first trouble, so that good calls cost nothing where there is none.
    is_troubled: AtomicBool,
    state: Mutex<State>,
    better: Notify,
}

#[derive(Debug)]
struct State {
    is_used: bool,
    is_degraded: bool,
    since: Option<(Instant, String)>,
    /// The links that are away.
    away: Vec<&'static str>,
    call_failed: bool,
    /// When a link was last found: what became of calls from before says nothing.
    found_at: Option<Instant>,
    /// Since when there is no trouble.
    fine_at: Instant,
    steady: Duration,
}

impl Dependency {
    /// One whose good news counts once it has held.
    pub(super) fn new(name: &'static str, mode: &'static str, gauge: IntGaugeVec) -> Self {
        Self::beside(&Arc::default(), name, mode, gauge)
    }

    /// The same of one that is away whenever others are: the first of them is told of at `warn`, and the others at `info`.
    pub(super) fn beside(
        degraded: &Arc<AtomicUsize>,
        name: &'static str,
        mode: &'static str,
        gauge: IntGaugeVec,
    ) -> Self {
        Self::made(degraded.clone(), name, mode, gauge, true)
    }

    /// One of which others tell who have waited already until the news held: theirs counts at once.
    pub(super) fn judged(name: &'static str, mode: &'static str, gauge: IntGaugeVec) -> Self {
        Self::made(Arc::default(), name, mode, gauge, false)
    }

    fn made(
        degraded: Arc<AtomicUsize>,
        name: &'static str,
        mode: &'static str,
        gauge: IntGaugeVec,
        must_hold: bool,
    ) -> Self {
        let state = State {
            is_used: false,
            is_degraded: false,
            since: None,
            away: Vec::new(),
            call_failed: false,
            found_at: None,
            fine_at: Instant::now(),
            steady: STEADY,
        };
        let (is_troubled, better) = Default::default();
        let state = Mutex::new(state);
        Self(Arc::new(Inner { name, mode, gauge, must_hold, degraded, is_troubled, state, better }))
    }

    /// Its name in logs and figures.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// This node depends on it: it is shown from now on.
    pub fn in_use(&self) {
        self.0.show(&mut self.0.state());
    }

    /// This node depends on it no more: it is not shown until it is used again.
    pub fn out_of_use(&self) {
        self.0.state().is_used = false;
        // An error means that it was never shown.
        _ = self.0.gauge.remove_label_values(&[self.0.name]);
    }

    /// A link to it is away. To be said at each change, or as often as one likes.
    pub fn lost(&self, link: &'static str, why: &str) {
        let mut state = self.0.state();
        if !state.away.contains(&link) {
            state.away.push(link);
        }
        self.0.trouble(&mut state, why);
    }

    /// A link to it is there (again).
    pub fn found(&self, link: &'static str) {
        if !self.0.is_troubled.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.0.state();
        let before = state.away.len();
        state.away.retain(|away| *away != link);
        if state.away.len() < before {
            let now = Instant::now();
            (state.call_failed, state.found_at, state.fine_at) = (false, Some(now), now);
            self.0.is_better(&mut state);
        }
    }

    /// A call that began at `started` failed. One from before a link was found says nothing.
    pub fn failed(&self, started: Instant, why: &str) {
        let mut state = self.0.state();
        if state.found_at.is_none_or(|found| started >= found) {
            state.call_failed = true;
            self.0.trouble(&mut state, why);
        }
    }

    /// Makes a call, and notes how it went.
    pub async fn watch<T, E: Display>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let started = Instant::now();
        call.await.inspect(|_| self.worked()).inspect_err(|error| self.failed(started, &error.to_string()))
    }

    /// A call went well.
    pub fn worked(&self) {
        if !self.0.is_troubled.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.0.state();
        if std::mem::take(&mut state.call_failed) {
            state.fine_at = Instant::now();
            self.0.is_better(&mut state);
        }
    }

    /// Whether its degraded mode is in force.
    pub fn is_degraded(&self) -> bool {
        self.0.state().is_degraded
    }

    pub(super) fn doing(&self) -> Option<Doing> {
        let state = self.0.state();
        let since = state.since.as_ref().map(|(_, at)| at.clone());
        let mode = state.is_degraded.then_some(self.0.mode);
        state.is_used.then_some(Doing { dependency: self.0.name, mode, since })
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, state: &mut State) {
        state.is_used = true;
        self.gauge.with_label_values(&[self.name]).set(i64::from(state.is_degraded));
    }

    fn trouble(self: &Arc<Self>, state: &mut State, why: &str) {
        let now = Instant::now();
        state.fine_at = now;
        if state.is_degraded {
            return;
        }
        let again = state.since.as_ref().is_some_and(|(well, _)| well.elapsed() < AGAIN);
        state.steady = if again { (state.steady * 2).min(MAX_STEADY) } else { STEADY };
        state.is_degraded = true;
        state.since = Some((now, timestamp()));
        self.is_troubled.store(true, Ordering::Relaxed);
        self.show(state);
        // What is away with something else is one cause: one line that asks for attention.
        let alone = self.degraded.fetch_add(1, Ordering::Relaxed) == 0;
        let level = if alone { log::Level::Warn } else { log::Level::Info };
        log::log!(
            level, event = "dependency_degraded", dependency = self.name, state = "degraded", mode = self.mode, reason = why;
            "something that this node depends on is away"
        );
        // Without a runtime nothing calls from within one, and so nothing can fail.
        if self.must_hold
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(heal(self.clone()));
        }
    }

    /// A link was found, or a call went well.
    fn is_better(&self, state: &mut State) {
        if self.must_hold { self.better.notify_one() } else { _ = self.recover(state) }
    }

    /// How long until it may count as well; `None` while there is trouble, zero if it does from now on.
    fn recover(&self, state: &mut State) -> Option<Duration> {
        if !state.away.is_empty() || state.call_failed {
            return None;
        }
        let steady = if self.must_hold { state.steady } else { Duration::ZERO };
        let left = steady.saturating_sub(state.fine_at.elapsed());
        if left.is_zero() {
            let since = state.since.replace((Instant::now(), timestamp()));
            let seconds = since.map_or(0.0, |(at, _)| at.elapsed().as_secs_f64());
            state.is_degraded = false;
            self.degraded.fetch_sub(1, Ordering::Relaxed);
            self.is_troubled.store(false, Ordering::Relaxed);
            self.show(state);
            log::info!(
                event = "dependency_back", dependency = self.name, state = "ok", degraded_seconds = (seconds * 10.0).round() / 10.0;
                "something that this node depends on is back"
            );
        }
        Some(left)
    }
}

/// Waits until it is well.
async fn heal(inner: Arc<Inner>) {
    loop {
        let left = inner.recover(&mut inner.state());
        match left {
            Some(Duration::ZERO) => return,
            Some(left) => sleep(left).await,
            None => inner.better.notified().await,
        }
    }
}

#[cfg(test)]
mod tests;
