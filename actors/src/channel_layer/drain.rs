//! Empties this node's queue on one host of the core layer. Nobody else reads it, so nothing needs to be put back.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult};
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;

use super::Inbound;
use super::codec::now_seconds;
use super::hosts;
use super::reader::MessageReader;
use crate::dependencies::Dependency;
use crate::redis::{Connected, Source};

/// How long Redis waits for a message, in seconds.
const WAIT: u64 = 5;
/// A pop that takes this long has lost its server. Far over [`WAIT`]: what was popped for nobody is lost.
const LOST: Duration = Duration::from_secs(20);
/// What the host is not without.
const QUEUE: &str = "queue";
/// Messages in one pop.
const BATCH: usize = 500;
/// How long a ping may take.
const PING: Duration = Duration::from_secs(2);
/// Seconds by which clocks may differ before encryption suffers: tokens bear the sender's time.
const SKEW: u64 = 5;

type Popped = Vec<(Vec<u8>, String)>;

/// Drains `key` for ever. A place in `out` is taken before anything is popped, so that what does not fit stays in Redis.
pub(super) async fn drain(
    source: Source,
    key: String,
    reader: Arc<MessageReader>,
    host: Dependency,
    out: Sender<Vec<Inbound>>,
) {
    let mut backoff = hosts::backoff();
    let mut told = false;
    loop {
        let connected = source.connect(PING).await;
        let why = connected.as_ref().err().cloned();
        if let Ok(Connected { mut connection, mut seen, counted: _counted, .. }) = connected {
            if reader.codec.encrypts() && !told {
                told = warn_of_skew(&mut connection).await;
            }
            host.found(QUEUE);
            loop {
                let Ok(place) = out.reserve().await else { return };
                let popping = timeout(LOST, pop(&mut connection, &key));
                let popped = tokio::select! {
                    popped = popping => popped,
                    // Nothing more comes to a server that another one has replaced.
                    () = seen.moved() => break,
                };
                match popped {
                    Ok(Ok(popped)) => {
                        backoff.reset();
                        let read = |(member, score): (Vec<u8>, String)| reader.stored(&member, score);
                        let batch: Vec<_> = popped.into_iter().filter_map(read).collect();
                        if !batch.is_empty() {
                            place.send(batch);
                        }
                    }
                    Ok(Err(_)) | Err(_) => break,
                }
            }
        }
        host.lost(QUEUE, why.as_deref().unwrap_or("the connection that waits for messages broke"));
        backoff.wait().await;
    }
}

/// What waits, or the next to come; nothing after a while.
async fn pop(connection: &mut MultiplexedConnection, key: &str) -> RedisResult<Popped> {
    let first: Option<(String, Vec<u8>, String)> =
        redis::cmd("BZPOPMIN").arg(key).arg(WAIT).query_async(connection).await?;
    let Some((_, member, score)) = first else { return Ok(Vec::new()) };
    let mut popped = vec![(member, score)];
    let rest: Result<Popped, RedisError> = redis::cmd("ZPOPMIN").arg(key).arg(BATCH).query_async(connection).await;
    // What is here already is kept whatever became of the rest; a broken connection shows in the next pop.
    popped.extend(rest.unwrap_or_default());
    Ok(popped)
}

async fn warn_of_skew(connection: &mut MultiplexedConnection) -> bool {
    let time = redis::cmd("TIME");
    let Ok(Ok((server, _))) = timeout(PING, time.query_async::<(u64, u64)>(connection)).await else { return false };
    let skew = server.abs_diff(now_seconds());
    if skew > SKEW {
        log::warn!(
            event = "clock_skew", seconds = skew;
            "the clock of the channel layer's redis differs: encrypted messages are refused when clocks differ"
        );
    }
    skew > SKEW
}
