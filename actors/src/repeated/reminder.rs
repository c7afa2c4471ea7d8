//! When the log tells of what is wrong for long: at once, and again each minute for as long as it is. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// What stays wrong is told of again after this.
const AGAIN: Duration = Duration::from_secs(60);

/// When one thing that is wrong was told of. It has no count: each line tells how it is then.
#[derive(Debug, Default)]
pub struct Reminder(Option<Instant>);

impl Reminder {
    /// Whether it is to be said now; then it counts as said.
    pub fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.0.is_none_or(|said| now.saturating_duration_since(said) >= AGAIN);
        if is_due {
            self.0 = Some(now);
        }
        is_due
    }

    /// It is right again: the next time is another matter.
    pub fn forget(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_stays_away_is_told_of_at_once_and_then_each_minute() {
        let (mut reminder, since) = (Reminder::default(), Instant::now());
        // As often as a connection is tried.
        let tries = (0..=1_500).map(|n| n * 200);
        let said: Vec<u64> = tries.filter(|after| reminder.is_due(since + Duration::from_millis(*after))).collect();
        assert_eq!(said, [0, 60_000, 120_000, 180_000, 240_000, 300_000]);
    }

    #[test]
    fn one_that_was_there_in_between_is_told_of_at_once() {
        let (mut reminder, since) = (Reminder::default(), Instant::now());
        assert!(reminder.is_due(since));
        assert!(!reminder.is_due(since + AGAIN / 2));
        reminder.forget();
        assert!(reminder.is_due(since + AGAIN / 2));
        assert!(!reminder.is_due(since), "a clock that goes back says nothing");
    }
}
