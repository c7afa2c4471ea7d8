//! Waiting until replicas have what was appended. All who wait at a time share one `WAIT`, on a connection of its own:
//! it holds up whatever comes behind it there.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::source::{Connected, Source};
use crate::actor::OwnedTask;
use crate::failure::{StoreError, StoreResult};

/// Appends that may wait at a time; more are not confirmed.
const QUEUE: usize = 4_096;
/// How long one `WAIT` lasts at most. Who has come meanwhile is in the next one.
const SLICE: Duration = Duration::from_millis(100);
/// What the server has for anything else here.
const ANSWER: Duration = Duration::from_secs(1);

/// Who waits.
struct Waiting {
    /// The server that has it.
    run: Arc<str>,
    until: Instant,
    done: oneshot::Sender<()>,
}

/// Confirms appends once so many replicas have them.
pub(crate) struct Replicas {
    waiting: mpsc::Sender<Waiting>,
    _confirming: OwnedTask,
}

impl Replicas {
    /// `count` replicas, at least one. `mark` is a key of its own, which is written so that there is something to wait for.
    pub(crate) fn new(source: Source, count: u32, mark: String) -> Self {
        let (waiting, waits) = mpsc::channel(QUEUE);
        Self { waiting, _confirming: OwnedTask::spawn(confirm(source, count, mark, waits)) }
    }

    /// Waits until replicas have all that the server of this run id has been told so far.
    ///
    /// # Errors
    /// Too few have it by then. It may yet get there.
    pub(crate) async fn have_it(&self, run: Arc<str>, until: Instant) -> StoreResult<()> {
        let (done, confirmed) = oneshot::channel();
        let asked = self.waiting.try_send(Waiting { run, until, done }).is_ok();
        match asked && timeout_at(until, confirmed).await.is_ok_and(|confirmed| confirmed.is_ok()) {
            true => Ok(()),
            false => Err(StoreError::Unavailable("too few replicas have it".into())),
        }
    }
}

async fn confirm(source: Source, count: u32, mark: String, mut waits: mpsc::Receiver<Waiting>) {
    let mut connected: Option<Connected> = None;
    let mut waiting: Vec<Waiting> = Vec::new();
    loop {
        if waiting.is_empty() && waits.recv_many(&mut waiting, QUEUE).await == 0 {
            return;
        }
        while let Ok(more) = waits.try_recv() {
            waiting.push(more);
        }
        let now = Instant::now();
        waiting.retain(|it| it.until > now && !it.done.is_closed());
        if waiting.is_empty() {
            continue;
        }
        let Some(link) = &mut connected else {
            match source.connect(ANSWER).await {
                Ok(link) => {
                    // What another server has, this one cannot wait for.
                    waiting.retain(|it| it.run == link.run);
                    connected = Some(link);
                }
                Err(_) => tokio::time::sleep(SLICE).await,
            }
            continue;
        };
        if waiting.iter().any(|it| it.run != link.run) {
            connected = None;
            continue;
        }
        match timeout(ANSWER, wait(&mut link.connection, &mark, count)).await {
            Ok(Ok(have_it)) if have_it >= count => {
                waiting.drain(..).for_each(|it| _ = it.done.send(()));
            }
            Ok(Ok(_)) => {}
            // It is made anew, perhaps to the server that all others are at by now.
            Ok(Err(_)) | Err(_) => connected = None,
        }
    }
}

/// How many replicas have all that was written before this.
async fn wait(connection: &mut MultiplexedConnection, mark: &str, count: u32) -> redis::RedisResult<u32> {
    let mut asks = redis::pipe();
    // WAIT waits for what its own connection has written: the order of all writes is one.
    asks.cmd("SET").arg(mark).arg(1).arg("EX").arg(60).ignore();
    asks.cmd("WAIT").arg(count).arg(SLICE.as_millis() as u64);
    let (have_it,): (u32,) = asks.query_async(connection).await?;
    Ok(have_it)
}
