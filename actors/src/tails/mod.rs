//! The ends of groups' logs, as those read along who are no sockets. However many follow a log at this node, what is new in it is read from
//! the store once, and kept for a moment for the others.

mod recent;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::ids::GroupName;
use crate::store::{Logs, Page, PageSize, StoreError, StoreResult};
use recent::Recent;

/// Below this many entries it is not worth while to look for those that nobody needs any more.
const FLOOR: usize = 64;
/// How often a log is looked at of which nothing is heard: it may be gone, or this node deaf.
const LOOK: Duration = Duration::from_secs(20);

/// The ends that are followed at this node; clones share them.
#[derive(Clone)]
pub struct Tails {
    logs: Arc<dyn Logs>,
    table: Arc<Mutex<Table>>,
}

struct Table {
    known: HashMap<GroupName, Weak<Tail>>,
    sweep_at: usize,
}

/// The end of one log.
struct Tail {
    group: GroupName,
    logs: Arc<dyn Logs>,
    /// How often something new was heard of.
    news: watch::Sender<u64>,
    /// Held while the store is asked: the others find what came of it.
    recent: tokio::sync::Mutex<Recent>,
}

impl Tails {
    /// Those of the logs of a store.
    pub fn new(logs: Arc<dyn Logs>) -> Self {
        let table = Table { known: HashMap::new(), sweep_at: FLOOR };
        Self { logs, table: Arc::new(Mutex::new(table)) }
    }

    fn known(&self, group: &GroupName) -> Option<Arc<Tail>> {
        // Every change is one step.
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.known.get(group)?.upgrade()
    }

    /// Something was logged in a group, here or at another node.
    pub fn grew(&self, group: &GroupName) {
        if let Some(tail) = self.known(group) {
            tail.has_news();
        }
    }

    /// Something may have been missed, in any group.
    pub fn missed(&self) {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.known.values().filter_map(Weak::upgrade).for_each(|tail| tail.has_news());
    }

    /// A reader of a group's log.
    pub fn follow(&self, group: &GroupName) -> TailReader {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let tail = table.known.get(group).and_then(Weak::upgrade).unwrap_or_else(|| {
            if table.known.len() >= table.sweep_at {
                table.known.retain(|_, tail| tail.strong_count() > 0);
                table.sweep_at = (2 * table.known.len()).max(FLOOR);
            }
            let tail = Arc::new(Tail {
                group: group.clone(),
                logs: self.logs.clone(),
                news: watch::Sender::new(0),
                recent: tokio::sync::Mutex::default(),
            });
            table.known.insert(group.clone(), Arc::downgrade(&tail));
            tail
        });
        TailReader { news: tail.news.subscribe(), tail, look_at: Instant::now() + LOOK }
    }
}

impl Tail {
    fn has_news(&self) {
        self.news.send_modify(|count| *count += 1);
    }

    async fn read(&self, after: u64, size: PageSize) -> StoreResult<Page> {
        let asked = Instant::now();
        {
            let mut recent = self.recent.lock().await;
            let news = *self.news.borrow();
            if recent.has_failed_since(asked) {
                return Err(StoreError::Unavailable("it has just failed for another reader".to_owned()));
            }
            if !recent.is_beyond(after) {
                let from = if recent.covers(after) { recent.end() } else { after };
                if !recent.covers(after) || !recent.is_fresh(news) {
                    match self.logs.read_after(&self.group, from, recent::PAGE).await {
                        Ok(page) => recent.add(from, &page, news),
                        Err(error) => {
                            recent.fail();
                            return Err(error);
                        }
                    }
                }
                if let Some(page) = recent.page(after, size) {
                    return Ok(page);
                }
            }
        }
        // Far behind: what it reads is of no use to the others.
        self.logs.read_after(&self.group, after, size).await
    }
}

/// One reader of a log.
pub struct TailReader {
    tail: Arc<Tail>,
    news: watch::Receiver<u64>,
    look_at: Instant,
}

impl TailReader {
    /// The events after `after`, as far as this node had heard of them a moment ago. Such an event must have been there.
    ///
    /// # Errors
    /// The store is away.
    pub async fn read(&self, after: u64, size: PageSize) -> StoreResult<Page> {
        self.tail.read(after, size).await
    }

    /// Waits until there may be more than when this was called last, or since the reader began. Cancelling the wait loses nothing.
    pub async fn changed(&mut self) {
        // The sender lives as long as this.
        _ = timeout_at(self.look_at, self.news.changed()).await;
        self.look_at = Instant::now() + LOOK;
    }
}
