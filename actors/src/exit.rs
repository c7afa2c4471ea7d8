//! How an actor's end becomes known, whichever way it ends.

/// Why an actor ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It stopped of its own accord.
    Stopped,
    /// It panicked.
    Panicked,
}

/// Reports an actor's end when it is dropped: an actor owns one, so that a panic is reported as well as a stop.
pub struct ExitGuard(Option<Box<dyn FnOnce(Exit) + Send>>);

impl ExitGuard {
    /// `report` is called exactly once, on the actor's own thread.
    pub fn new(report: impl FnOnce(Exit) + Send + 'static) -> Self {
        Self(Some(Box::new(report)))
    }
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        if let Some(report) = self.0.take() {
            // An unwinding thread drops the actor while it panics; a stop does not.
            report(if std::thread::panicking() { Exit::Panicked } else { Exit::Stopped });
        }
    }
}

impl std::fmt::Debug for ExitGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ExitGuard")
    }
}
