//! Leaves a backend out for a while that keeps failing, and lets one request try it again. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// When a backend is left out, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// So many failures in a row. One is chance; a backend that is really gone gets there within seconds.
    pub failures: u32,
    /// Left out for so long at first, then twice as long after each probe that fails.
    pub first: Duration,
    /// But never longer. What comes back should be back within a minute.
    pub longest: Duration,
    /// The longest on the backend's own word (`Retry-After`). A later time is more likely a slip than meant.
    pub longest_told: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            failures: 5,
            first: Duration::from_secs(5),
            longest: Duration::from_secs(60),
            longest_told: Duration::from_secs(3600),
        }
    }
}

/// Whether a backend is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is.
    Closed,
    /// It is not, until then, as it has asked for; then it is again.
    Paused(Instant),
    /// It is not, until then; then one request tries it.
    Open(Instant),
    /// One request tries it.
    HalfOpen,
}

impl State {
    /// Its name, as it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Paused(_) | Self::Open(_) => "open",
            Self::HalfOpen => "half_open",
        }
    }

    /// Until when it is left out, if that is known.
    pub fn until(self) -> Option<Instant> {
        match self {
            Self::Paused(until) | Self::Open(until) => Some(until),
            Self::Closed | Self::HalfOpen => None,
        }
    }
}

/// What a request may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Ask.
    Free,
    /// Ask, on behalf of all: this one decides whether the backend is back.
    Probe,
    /// Go elsewhere; the backend is tried again after so long.
    Out(Duration),
}

/// A shorter time to come back is not worth leaving a backend out: other requests get there later anyway.
const SHORTEST_TOLD: Duration = Duration::from_secs(1);

/// While a probe is out, its end is not known: others are told to come again after so long.
const PROBING: Duration = Duration::from_secs(1);

/// The breaker of one backend.
#[derive(Debug)]
pub struct Breaker {
    patience: Patience,
    state: State,
    since: Instant,
    failures: u32,
    /// How often in a row it was left out: the power of two of the next time.
    trips: u32,
}

impl Breaker {
    /// One that trusts its backend.
    pub fn new(patience: Patience, now: Instant) -> Self {
        Self { patience, state: State::Closed, since: now, failures: 0, trips: 0 }
    }

    /// How it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Since when.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether a request would be let in.
    pub fn admits(&self, now: Instant) -> bool {
        match self.state {
            State::Closed => true,
            State::Paused(until) | State::Open(until) => until <= now,
            State::HalfOpen => false,
        }
    }

    /// A request asks to be let in.
    pub fn enter(&mut self, now: Instant) -> Entry {
        match self.state {
            State::Closed => Entry::Free,
            State::Paused(until) | State::Open(until) if until > now => Entry::Out(until - now),
            State::Paused(_) => {
                self.turn(State::Closed, now);
                Entry::Free
            }
            State::Open(_) => {
                self.turn(State::HalfOpen, now);
                Entry::Probe
            }
            State::HalfOpen => Entry::Out(PROBING),
        }
    }

    /// A request is let in that has nowhere else to go: it tries the backend, whatever is thought of it.
    pub fn force(&mut self, now: Instant) -> Entry {
        match self.enter(now) {
            Entry::Out(_) => {
                if self.state != State::HalfOpen {
                    self.turn(State::HalfOpen, now);
                }
                Entry::Probe
            }
            entry => entry,
        }
    }

    /// The backend answers, or has refused well. A probe brings it back.
    pub fn answered(&mut self, entry: Entry, now: Instant) {
        if entry == Entry::Probe && self.state == State::HalfOpen {
            self.failures = 0;
            self.turn(State::Closed, now);
        }
    }

    /// An answer is complete. Only this forgets what was: a backend that begins well and always breaks off is none.
    pub fn completed(&mut self, entry: Entry, now: Instant) {
        self.answered(entry, now);
        if self.state == State::Closed {
            (self.failures, self.trips) = (0, 0);
        }
    }

    /// The backend failed; `wait` is its own word on when to come back.
    pub fn failed(&mut self, entry: Entry, wait: Option<Duration>, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        let told = wait.map(|wait| wait.min(self.patience.longest_told)).filter(|wait| *wait >= SHORTEST_TOLD);
        match (self.state, told) {
            (State::Paused(until), Some(wait)) => self.state = State::Paused(until.max(now + wait)),
            (State::Open(until), Some(wait)) => self.state = State::Open(until.max(now + wait)),
            // Whoever was let in before the backend was left out says nothing new, unless it is a time.
            (State::Paused(_) | State::Open(_), None) => {}
            (State::HalfOpen, _) if entry != Entry::Probe => {}
            (State::Closed, Some(wait)) if self.failures < self.patience.failures => {
                self.turn(State::Paused(now + wait), now);
            }
            (State::Closed, None) if self.failures < self.patience.failures => {}
            (State::Closed | State::HalfOpen, told) => {
                let pause = self.patience.first.saturating_mul(2_u32.saturating_pow(self.trips));
                let pause = pause.min(self.patience.longest).max(told.unwrap_or_default());
                self.trips = self.trips.saturating_add(1);
                self.turn(State::Open(now + pause), now);
            }
        }
    }

    /// A request was dropped without a verdict. The next one is the probe then.
    pub fn dropped(&mut self, entry: Entry, now: Instant) {
        if entry == Entry::Probe && self.state == State::HalfOpen {
            self.state = State::Open(now);
        }
    }

    fn turn(&mut self, state: State, now: Instant) {
        self.state = state;
        self.since = now;
    }
}

#[cfg(test)]
mod tests;
