//! Looks at what another request is about to do, perhaps at another node.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::http::ApiError;

/// How long what is waited for has.
const BEGINS_WITHIN: Duration = Duration::from_secs(10);
/// Between two looks, at first and at most: it is a matter of milliseconds, unless something is slow, which many who look make slower.
const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_millis(250);

/// Looks of one who waits.
pub struct Looks {
    pause: Duration,
    until: Instant,
}

impl Looks {
    /// The first one.
    pub fn begin() -> Self {
        Self { pause: FIRST, until: Instant::now() + BEGINS_WITHIN }
    }

    /// Waits for the next one.
    ///
    /// # Errors
    /// 503: there have been enough.
    pub async fn again(&mut self) -> Result<(), ApiError> {
        if Instant::now() >= self.until {
            let message = "what was asked for has not begun yet; ask for the same again";
            return Err(ApiError::unavailable("ai_unavailable", message, 2));
        }
        sleep(self.pause).await;
        self.pause = (2 * self.pause).min(LONGEST);
        Ok(())
    }
}
