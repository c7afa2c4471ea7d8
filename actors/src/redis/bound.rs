//! How many connections this node opens to a database, at most: each is counted from before it is made until it is given up,
//! and one beyond is not made.

use std::fmt;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A bound that several sources may share. Clones count together.
#[derive(Clone)]
pub struct Bound {
    setting: &'static str,
    most: usize,
    free: Arc<Semaphore>,
}

/// One connection, as long as it or a clone of it is there.
pub(crate) type ConnectionPermit = Arc<OwnedSemaphorePermit>;

impl Bound {
    /// At most so many, as a setting of this name says.
    pub fn new(setting: &'static str, most: usize) -> Self {
        Self { setting, most, free: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))) }
    }

    /// As many as anybody asks for.
    pub fn none() -> Self {
        Self::new("no setting", Semaphore::MAX_PERMITS)
    }

    /// Counts one more connection, which may be made then.
    ///
    /// # Errors
    /// As many as may be are there; the reason names the setting.
    pub(crate) fn count_one(&self) -> Result<ConnectionPermit, String> {
        let place = self.free.clone().try_acquire_owned();
        place.map(Arc::new).map_err(|_| format!("{} connections are open, as {} allows", self.most, self.setting))
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").field("setting", &self.setting).field("most", &self.most).finish_non_exhaustive()
    }
}

/// The bounds of the stores' databases.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// The main one, and the hosts of the channel layer with it.
    pub main: Bound,
    /// That of the answers.
    pub cache: Bound,
    /// That of the general cache.
    pub general: Bound,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { main: Bound::none(), cache: Bound::none(), general: Bound::none() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sophie_kit::TestServer;
    use tokio::time::{Instant, sleep, timeout};

    use super::*;
    use crate::redis::Source;

    const SOON: Duration = Duration::from_secs(5);

    /// Connections to the server but the one that asks.
    fn open(asking: &mut redis::Connection) -> usize {
        let list: String = redis::cmd("CLIENT").arg("LIST").query(asking).expect("a list");
        list.lines().count() - 1
    }

    /// Waits until a connection is made: a look at who answers may have the place for a moment.
    async fn made<T>(connect: impl AsyncFn() -> Result<T, String>) -> T {
        let making = async {
            loop {
                match connect().await {
                    Ok(connection) => return connection,
                    Err(_) => sleep(Duration::from_millis(5)).await,
                }
            }
        };
        timeout(SOON, making).await.expect("a connection")
    }

    /// Waits until the server has so many connections.
    async fn has(asking: &mut redis::Connection, connections: usize) {
        let seen = async {
            while open(asking) != connections {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(SOON, seen).await.expect("as many as that");
    }

    #[tokio::test]
    async fn a_connection_beyond_the_bound_is_not_made() {
        let server = TestServer::start();
        let mut asking = server.connection(0);
        let source = Source::new(&server.url(0), &Bound::new("channel.max_connections", 2)).expect("a good URL");
        let one = made(async || source.connect(SOON).await).await;
        let _two = made(async || source.connect(SOON).await).await;
        has(&mut asking, 2).await;
        for refused in [source.connect(SOON).await.err(), source.pubsub().await.err()] {
            assert_eq!(refused.as_deref(), Some("2 connections are open, as channel.max_connections allows"));
        }
        // Longer than it takes until one looks who answers.
        let until = Instant::now() + Duration::from_millis(700);
        while Instant::now() < until {
            assert_eq!(open(&mut asking), 2);
            sleep(Duration::from_millis(5)).await;
        }
        drop(one);
        let _three = made(async || source.pubsub().await).await;
        has(&mut asking, 2).await;
    }
}
