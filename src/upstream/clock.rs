//! A wait that every sign of life prolongs, within a deadline.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::fault::{Fault, Stage};

/// How long the next sign of life is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    span: Duration,
    stage: Stage,
    limit: (Instant, Stage),
    deadline: Instant,
}

impl Clock {
    /// From now on.
    pub fn new(span: Duration, stage: Stage, deadline: Instant) -> Self {
        let limit = sooner((Instant::now() + span, stage), (deadline, Stage::Whole));
        Self { span, stage, limit, deadline }
    }

    /// Something came: the wait begins anew from then.
    pub fn heard(&mut self, at: Instant) {
        self.limit = sooner((self.limit.0.max(at + self.span), self.stage), (self.deadline, Stage::Whole));
    }

    /// Waits for something.
    pub async fn wait<T>(&mut self, event: impl Future<Output = T>) -> Result<T, Fault> {
        self.wait_hearing(event, || None).await
    }

    /// Waits for something, as long as signs of life come on the way: `heard` says when the last one did.
    pub async fn wait_hearing<T>(
        &mut self,
        event: impl Future<Output = T>,
        heard: impl Fn() -> Option<Instant>,
    ) -> Result<T, Fault> {
        // Whoever is always ready would never let the timer have its turn.
        if Instant::now() >= self.limit.0 {
            return Err(Fault::Timeout(self.limit.1));
        }
        let mut event = std::pin::pin!(event);
        loop {
            let (limit, stage) = self.limit;
            if let Ok(come) = timeout_at(limit, &mut event).await {
                return Ok(come);
            }
            heard().into_iter().for_each(|at| self.heard(at));
            if self.limit.0 <= limit {
                return Err(Fault::Timeout(stage));
            }
        }
    }
}

fn sooner(a: (Instant, Stage), b: (Instant, Stage)) -> (Instant, Stage) {
    if b.0 < a.0 { b } else { a }
}
