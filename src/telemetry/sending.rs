//! Takes spans out of the queue, many at once, and sends them. While the receiver is away that is said once, tried again and again, and what
//! is lost meanwhile is counted.

use std::time::Duration;

use opentelemetry_sdk::trace::SpanData;
use rand::RngExt;
use sophie_actors::metrics::Metrics;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::receiver::{NotTaken, Receiver};
use super::{Done, Flushes};

/// Spans that are sent at once.
const BATCH: usize = 512;
/// How long more of them are waited for.
const GATHER: Duration = Duration::from_secs(1);
/// The pause before the first repetition; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How often spans are sent until they are given up: over half a minute in all.
const TRIES: u32 = 6;

/// The task.
pub struct Sending {
    receiver: Receiver,
    spans: mpsc::Receiver<SpanData>,
    metrics: Metrics,
    /// Since the last that was taken: spans that were not.
    lost: Option<u64>,
}

impl Sending {
    /// Of what comes out of a queue.
    pub fn new(receiver: Receiver, spans: mpsc::Receiver<SpanData>, metrics: Metrics) -> Self {
        Self { receiver, spans, metrics, lost: None }
    }

    /// Goes on until nobody makes spans any more. Who flushes is answered when all that waited was sent, or tried once more.
    pub async fn run(mut self, mut flushes: Flushes) {
        loop {
            let (mut spans, mut hurry) = (Vec::new(), None);
            tokio::select! {
                some = self.spans.recv_many(&mut spans, BATCH) => if some == 0 { return },
                Some(done) = flushes.recv() => hurry = Some(done),
            }
            if hurry.is_none() {
                tokio::select! {
                    () = self.gather(&mut spans) => {}
                    Some(done) = flushes.recv() => hurry = Some(done),
                }
            }
            loop {
                while spans.len() < BATCH
                    && let Ok(span) = self.spans.try_recv()
                {
                    spans.push(span);
                }
                if spans.is_empty() {
                    break;
                }
                self.send(std::mem::take(&mut spans), &mut hurry, &mut flushes).await;
                if hurry.is_none() {
                    break;
                }
            }
            if let Some(done) = hurry {
                // Who asked may not wait any longer.
                _ = done.send(());
            }
        }
    }

    /// Waits a little for more.
    async fn gather(&mut self, spans: &mut Vec<SpanData>) {
        let until = sleep(GATHER);
        tokio::pin!(until);
        while spans.len() < BATCH {
            let room = BATCH - spans.len();
            tokio::select! {
                () = &mut until => return,
                some = self.spans.recv_many(spans, room) => if some == 0 { return },
            }
        }
    }

    /// Sends spans until they are taken or given up; when somebody is in a `hurry`, once.
    async fn send(&mut self, spans: Vec<SpanData>, hurry: &mut Option<Done>, flushes: &mut Flushes) {
        let (all, batch) = (spans.len() as u64, self.receiver.batch(spans));
        let mut pause = FIRST_PAUSE;
        for tried in 1..=TRIES {
            match self.receiver.send(batch.clone()).await {
                Ok(rejected) => return self.taken(all, rejected.min(all)),
                Err(not_taken) => {
                    self.away(&not_taken);
                    if !not_taken.passing || tried == TRIES || hurry.is_some() {
                        break;
                    }
                }
            }
            let waits = pause.mul_f64(rand::rng().random_range(0.75..=1.25));
            tokio::select! {
                () = sleep(waits) => {}
                Some(done) = flushes.recv() => *hurry = Some(done),
            }
            pause *= 2;
        }
        self.count_lost(all);
        self.lost = self.lost.map(|lost| lost + all);
    }

    fn taken(&mut self, all: u64, rejected: u64) {
        self.metrics.spans.with_label_values(&["sent"]).inc_by(all - rejected);
        self.count_lost(rejected);
        if let Some(lost) = self.lost.take() {
            log::info!(event = "traces_sent_again", lost; "traces are sent again");
        }
    }

    fn count_lost(&self, lost: u64) {
        self.metrics.spans.with_label_values(&["lost"]).inc_by(lost);
    }

    /// Said once, until something is taken.
    fn away(&mut self, not_taken: &NotTaken) {
        if self.lost.is_none() {
            self.lost = Some(0);
            log::warn!(
                event = "traces_not_sent", cause = not_taken.cause, setting = "otel.endpoint";
                "traces are not sent, their receiver does not take them: until it does they are lost and counted"
            );
        }
    }
}
