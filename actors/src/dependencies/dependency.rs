use std::sync::atomic::{AtomicBool, Ordering};
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
    pub(super) fn new(name: &'static str, mode: &'static str, gauge: IntGaugeVec) -> Self {
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
        Self(Arc::new(Inner { name, mode, gauge, is_troubled, state: Mutex::new(state), better }))
    }

    /// Its name in logs and figures.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// This node depends on it: it is shown from now on.
    pub fn in_use(&self) {
        self.0.show(&mut self.0.state());
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
            self.0.better.notify_one();
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

    /// A call went well.
    pub fn worked(&self) {
        if !self.0.is_troubled.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.0.state();
        if std::mem::take(&mut state.call_failed) {
            state.fine_at = Instant::now();
            self.0.better.notify_one();
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
        log::warn!("dependency={} state=degraded mode={:?} reason={why:?}", self.name, self.mode);
        // Without a runtime nothing calls from within one, and so nothing can fail.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(heal(self.clone()));
        }
    }

    /// How long until it may count as well; `None` while there is trouble, zero if it does from now on.
    fn recover(&self) -> Option<Duration> {
        let mut state = self.state();
        if !state.away.is_empty() || state.call_failed {
            return None;
        }
        let left = state.steady.saturating_sub(state.fine_at.elapsed());
        if left.is_zero() {
            let since = state.since.replace((Instant::now(), timestamp()));
            let seconds = since.map_or(0.0, |(at, _)| at.elapsed().as_secs_f64());
            state.is_degraded = false;
            self.is_troubled.store(false, Ordering::Relaxed);
            self.show(&mut state);
            log::info!("dependency={} state=ok degraded_seconds={seconds:.1}", self.name);
        }
        Some(left)
    }
}

/// Waits until it is well.
async fn heal(inner: Arc<Inner>) {
    loop {
        match inner.recover() {
            Some(Duration::ZERO) => return,
            Some(left) => sleep(left).await,
            None => inner.better.notified().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    /// As its readers see it, the gauge included.
    fn is_degraded(metrics: &Metrics, dependency: &Dependency) -> bool {
        let gauge = metrics.degraded.with_label_values(&[dependency.name()]).get();
        assert_eq!(gauge == 1, dependency.is_degraded());
        gauge == 1
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_link_is_a_change_at_once_and_a_found_one_when_it_has_held() {
        let metrics = Metrics::new();
        let store = metrics.dependencies.store.clone();
        assert!(metrics.dependencies.doing().is_empty(), "none is in use");
        store.in_use();
        assert_eq!(metrics.dependencies.doing()[0].since, None);
        store.lost("main", "x");
        assert!(is_degraded(&metrics, &store));
        sleep(60 * STEADY).await;
        store.found("main");
        sleep(STEADY / 2).await;
        assert!(is_degraded(&metrics, &store));
        sleep(STEADY).await;
        assert!(!is_degraded(&metrics, &store));
        let doing = &metrics.dependencies.doing()[0];
        assert_eq!((doing.dependency, doing.mode), ("store", None));
        assert!(doing.since.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_and_goes_is_one_change() {
        let metrics = Metrics::new();
        let cache = metrics.dependencies.cache.clone();
        for _ in 0..20 {
            cache.lost("cache", "x");
            sleep(STEADY / 3).await;
            cache.found("cache");
            sleep(STEADY / 2).await;
            assert!(is_degraded(&metrics, &cache));
        }
        sleep(STEADY).await;
        assert!(!is_degraded(&metrics, &cache));
        // Again, a moment later: it must hold for longer.
        cache.lost("cache", "x");
        cache.found("cache");
        sleep(STEADY * 3 / 2).await;
        assert!(is_degraded(&metrics, &cache));
        sleep(STEADY).await;
        assert!(!is_degraded(&metrics, &cache));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_call_counts_until_one_goes_well_or_its_link_is_new() {
        let metrics = Metrics::new();
        let limits = metrics.dependencies.limits.clone();
        let started = Instant::now();
        limits.failed(started, "x");
        sleep(5 * STEADY).await;
        assert!(is_degraded(&metrics, &limits));
        limits.worked();
        sleep(2 * STEADY).await;
        assert!(!is_degraded(&metrics, &limits));
        sleep(2 * AGAIN).await;
        limits.lost("main", "x");
        limits.found("main");
        limits.failed(started, "a call of the link before");
        sleep(2 * STEADY).await;
        assert!(!is_degraded(&metrics, &limits));
    }
}
