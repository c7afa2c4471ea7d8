//! Waiting for something, with a deadline: in the time of tokio, which a test may pause.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often one looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until `holds` gives something.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, within: Duration, holds: impl Fn() -> F) -> T {
    let deadline = Instant::now() + within;
    loop {
        // Before the look: where the machine pauses until the deadline is over, there is one more.
        let is_over = Instant::now() >= deadline;
        if let Some(found) = holds().await {
            return found;
        }
        assert!(!is_over, "not within {within:?}: {what}");
        sleep(PAUSE).await;
    }
}

/// Waits until something holds.
pub async fn until(what: &str, within: Duration, holds: impl Fn() -> bool) {
    eventually(what, within, async || holds().then_some(())).await;
}
