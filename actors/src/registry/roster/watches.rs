//! Those who wait for answers of a group without being in it: they are woken, and look for themselves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use crate::ids::GroupName;

/// By group.
#[derive(Debug, Default)]
pub(super) struct Watches(Mutex<BTreeMap<GroupName, Weak<Waiting>>>);

#[derive(Debug)]
struct Waiting {
    group: GroupName,
    begun: Notify,
    watches: Arc<Watches>,
}

/// Somebody's waiting for the next answer of a group. What began before this came into being is not told.
#[derive(Debug, Clone)]
pub struct Watch(Arc<Waiting>);

impl Watches {
    fn known(&self) -> MutexGuard<'_, BTreeMap<GroupName, Weak<Waiting>>> {
        // A map is whole between statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn watch(self: &Arc<Self>, group: &GroupName) -> Watch {
        let mut known = self.known();
        if let Some(waiting) = known.get(group).and_then(Weak::upgrade) {
            return Watch(waiting);
        }
        let waiting = Arc::new(Waiting { group: group.clone(), begun: Notify::new(), watches: self.clone() });
        known.insert(group.clone(), Arc::downgrade(&waiting));
        Watch(waiting)
    }

    pub(super) fn begun(&self, group: &GroupName) {
        let waiting = self.known().get(group).and_then(Weak::upgrade);
        if let Some(waiting) = waiting {
            waiting.begun.notify_waiters();
        }
    }

    pub(super) fn all_may_have_begun(&self) {
        let all: Vec<_> = self.known().values().filter_map(Weak::upgrade).collect();
        all.iter().for_each(|waiting| waiting.begun.notify_waiters());
    }
}

impl Watch {
    /// Waits until an answer has begun, or may have. What comes after this call counts, before the future is polled too.
    pub fn begun(&self) -> impl Future<Output = ()> {
        self.0.begun.notified()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut known = self.watches.known();
        // Somebody else may have begun to wait since.
        if known.get(&self.group).is_some_and(|waiting| waiting.strong_count() == 0) {
            known.remove(&self.group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_is_woken_and_nobody_is_remembered_who_has_gone() {
        let (watches, group) = (Arc::new(Watches::default()), GroupName::parse("g").expect("legal"));
        let (one, two) = (watches.watch(&group), watches.watch(&group));
        let (first, second) = (one.begun(), two.begun());
        watches.begun(&group);
        tokio::join!(first, second);
        let again = one.begun();
        watches.all_may_have_begun();
        again.await;
        drop((one, two));
        assert!(watches.known().is_empty());
    }
}
