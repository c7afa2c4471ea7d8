//! How long to wait before the next attempt: longer each time, up to a bound.

use std::time::Duration;

use tokio::time::sleep;

/// The waits between attempts that fail one after another: each twice as long as the one before.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// The first wait, and the longest.
    pub(crate) fn between(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// Waits.
    pub(crate) async fn wait(&mut self) {
        sleep(self.next).await;
        self.next = (self.next * 2).min(self.longest);
    }

    /// It worked: what fails next is another matter.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_wait_is_twice_as_long_up_to_a_bound_until_it_worked() {
        let mut backoff = Backoff::between(Duration::from_millis(100), Duration::from_millis(500));
        let mut waited = Vec::new();
        for n in 0..6 {
            if n == 5 {
                backoff.reset();
            }
            let began = Instant::now();
            backoff.wait().await;
            waited.push(began.elapsed().as_millis());
        }
        assert_eq!(waited, [100, 200, 400, 500, 500, 100]);
    }
}
