//! Whether a client is still there: it is asked by pings, and each is to be answered in time.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::Instant;

/// Pings are sent at marks, so many in the time between two of one connection: a thread wakes once for all that are due at a mark.
const MARKS: u32 = 100;
/// How many marks after its beginning a connection is asked for the first time, drawn: those that came at once, as after a restart, are
/// not asked at once.
const DRAWN: std::ops::Range<u32> = MARKS / 2..MARKS;

/// The first mark after a time.
fn mark_after(time: Instant, ping: Duration) -> Instant {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let (first, step) = (*FIRST.get_or_init(Instant::now), (ping / MARKS).max(Duration::from_millis(1)));
    let into = time.saturating_duration_since(first).as_nanos() % step.as_nanos();
    time + step - Duration::from_nanos(u64::try_from(into).unwrap_or_default())
}

/// The pulse of one connection.
#[derive(Debug)]
pub struct Heartbeat {
    ping: Duration,
    pong: Duration,
    next: Instant,
    /// When a ping was sent that is not answered.
    asked: Option<Instant>,
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    Nothing,
    Ping,
    /// No pong came.
    Dead,
}

impl Heartbeat {
    /// Asks each `ping`, and waits for `pong`.
    pub fn new(ping: Duration, pong: Duration) -> Self {
        let before = ping / MARKS * (rand::random_range(DRAWN) - 1);
        Self { ping, pong, next: mark_after(Instant::now() + before, ping), asked: None }
    }

    /// When to look again.
    pub(super) fn due(&self) -> Instant {
        self.asked.map_or(self.next, |asked| self.next.min(asked + self.pong))
    }

    /// What is due by now. `held`: what the client sends is not read, so its pong may have come.
    pub(super) fn beat(&mut self, now: Instant, held: bool) -> Beat {
        if self.asked.is_some_and(|asked| now >= asked + self.pong) {
            if !held {
                return Beat::Dead;
            }
            self.asked = Some(now);
        }
        if now < self.next {
            return Beat::Nothing;
        }
        self.next += self.ping;
        if self.next <= now {
            self.next = mark_after(now, self.ping);
        }
        self.asked.get_or_insert(now);
        Beat::Ping
    }

    /// A pong has come.
    pub(super) fn answered(&mut self) {
        self.asked = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: Duration = Duration::from_secs(25);
    const PONG: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn who_answers_lives_and_who_does_not_is_dead() {
        let begun = Instant::now();
        let mut heart = Heartbeat::new(PING, PONG);
        let mark = PING / MARKS;
        assert!((begun + PING / 2 - mark..=begun + PING).contains(&heart.due()));
        for _ in 0..3 {
            assert_eq!(heart.beat(heart.due(), false), Beat::Ping);
            heart.answered();
        }
        let asked = heart.due();
        assert_eq!(heart.beat(asked, false), Beat::Ping);
        assert_eq!(heart.due(), asked + PONG);
        assert_eq!(heart.beat(asked + PONG / 2, false), Beat::Nothing);
        assert_eq!(heart.beat(asked + PONG, true), Beat::Nothing, "nothing was read meanwhile");
        assert_eq!(heart.beat(asked + PONG, false), Beat::Nothing);
        assert_eq!(heart.beat(asked + 2 * PONG, false), Beat::Dead);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_pings_of_many_are_spread() {
        let begun = Instant::now();
        let firsts: std::collections::BTreeSet<_> =
            (0..100).map(|_| (Heartbeat::new(PING, PONG).due() - begun).as_secs()).collect();
        assert!(firsts.len() > 6, "{firsts:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_come_at_any_time_are_asked_at_the_same_few_moments() {
        let mut due = std::collections::BTreeSet::new();
        let begun = Instant::now();
        for _ in 0..1_000 {
            tokio::time::advance(Duration::from_millis(7)).await;
            due.insert(Heartbeat::new(PING, PONG).due());
        }
        // Half of the marks of 25 s, and those of the 7 s in which they came.
        assert!((10..=80).contains(&due.len()), "{}", due.len());
        assert!(due.iter().all(|due| *due > begun + PING / 2 - PING / MARKS));
    }
}
