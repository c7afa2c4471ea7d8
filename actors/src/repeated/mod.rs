//! Log lines that come in crowds: the first of a kind at once, then one line with a count in ten seconds; and
//! what is wrong for long, told again each minute ([`Reminder`]).

mod line;
mod reminder;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use log::Level;
use tokio::time::{Instant, sleep_until};

pub use line::Line;
pub use reminder::Reminder;

/// How long lines of one kind are counted before they are told.
const WINDOW: Duration = Duration::from_secs(10);

/// The lines of one place, by their kinds; a kind is a fixed text of the code. Made to be a `static`.
pub struct Repeated {
    target: &'static str,
    level: Level,
    kinds: Mutex<BTreeMap<&'static str, Window>>,
}

/// From a line on: what came after it.
struct Window {
    until: Instant,
    more: u64,
    last: Option<Line>,
}

impl Repeated {
    /// Lines of this level, under the name of the module that says them: `module_path!()`.
    pub const fn of(target: &'static str, level: Level) -> Self {
        Self { target, level, kinds: Mutex::new(BTreeMap::new()) }
    }

    fn kinds(&self) -> MutexGuard<'_, BTreeMap<&'static str, Window>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs a line, or counts it.
    pub fn log(&'static self, kind: &'static str, line: impl FnOnce() -> Line) {
        if self.level > log::max_level() {
            return;
        }
        let now = Instant::now();
        let mut kinds = self.kinds();
        match kinds.get_mut(kind).filter(|window| window.until > now) {
            None => {
                line().log(self.target, self.level);
                kinds.insert(kind, Window { until: now + WINDOW, more: 0, last: None });
            }
            Some(window) => {
                window.more += 1;
                let line = line();
                // Who looks for one among the crowd finds it at `debug`.
                if log::log_enabled!(target: self.target, Level::Debug) {
                    line.log(self.target, Level::Debug);
                }
                window.last = Some(line);
                if window.more == 1
                    && let Ok(runtime) = tokio::runtime::Handle::try_current()
                {
                    runtime.spawn(self.tell_later(kind, window.until));
                }
            }
        }
    }

    async fn tell_later(&'static self, kind: &'static str, at: Instant) {
        sleep_until(at).await;
        let mut kinds = self.kinds();
        let Some(window) = kinds.get_mut(kind).filter(|window| window.more > 0) else { return };
        let (seconds, more) = (WINDOW.as_secs(), std::mem::take(&mut window.more));
        let Some(last) = window.last.take() else { return };
        // The next ones are counted again: a crowd is one line in each window.
        window.until = Instant::now() + WINDOW;
        last.with_number("more", more).with_number("within_seconds", seconds).log(self.target, self.level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static LINES: Repeated = Repeated::of(module_path!(), Level::Error);

    fn said(kind: &'static str) -> bool {
        let more = LINES.kinds().get(kind).map(|window| window.more);
        LINES.log(kind, || Line::of(kind, "something comes in a crowd"));
        LINES.kinds().get(kind).map(|window| window.more) == Some(0) || more.is_none()
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_line_is_said_and_the_others_are_counted_in_one() {
        log::set_max_level(log::LevelFilter::Error);
        assert!(said("a"));
        for _ in 0..277 {
            assert!(!said("a"));
        }
        assert!(said("b"), "another kind has a line of its own");
        assert_eq!(LINES.kinds()["a"].more, 277);
        tokio::time::sleep(WINDOW + Duration::from_millis(10)).await;
        assert_eq!(LINES.kinds()["a"].more, 0, "told");
        assert!(!said("a"), "the crowd has not gone: it is counted on");
        tokio::time::sleep(WINDOW * 3).await;
        assert!(said("a"), "said at once after a silence");
    }
}
