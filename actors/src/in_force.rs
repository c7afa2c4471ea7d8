//! A value that can be changed while the program runs: what the settings say now, for those who would otherwise keep what they said at the
//! start.

use std::sync::Arc;

use tokio::sync::watch;

/// A value that is in force until another one is; clones share it. Who looks at it twice may see two values: one piece of work looks once.
#[derive(Debug)]
pub struct InForce<T>(watch::Sender<Arc<T>>);

/// Tells when another value comes into force.
#[derive(Debug)]
pub struct Changes<T>(watch::Receiver<Arc<T>>);

impl<T> InForce<T> {
    /// This value, for now.
    pub fn new(value: T) -> Self {
        Self(watch::Sender::new(Arc::new(value)))
    }

    /// The value in force.
    pub fn get(&self) -> Arc<T> {
        self.0.borrow().clone()
    }

    /// Puts another one in its place, for all who look from now on.
    pub fn replace(&self, value: T) {
        self.0.send_replace(Arc::new(value));
    }

    /// What tells of values that come after this one.
    pub fn changes(&self) -> Changes<T> {
        Changes(self.0.subscribe())
    }
}

impl<T> Clone for InForce<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> From<T> for InForce<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T> Changes<T> {
    /// Waits for the next value. `None`: there will be no other one.
    pub async fn next(&mut self) -> Option<Arc<T>> {
        self.0.changed().await.ok()?;
        Some(self.0.borrow_and_update().clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_clone_sees_the_newest_value_and_who_waits_is_told() {
        let value = InForce::new(1);
        let (other, mut changes, held) = (value.clone(), value.changes(), value.get());
        other.replace(2);
        assert_eq!((*value.get(), *held), (2, 1), "who holds one keeps it");
        assert_eq!(changes.next().await.as_deref(), Some(&2));
        drop((value, other));
        assert_eq!(changes.next().await, None);
    }
}
