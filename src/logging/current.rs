//! The logger of this process, which can be exchanged for one with another level while the program runs.

use std::sync::{PoisonError, RwLock};

use env_logger::Logger;
use log::{Level, Log, Metadata, Record};

/// What the `log` crate has from the start: it takes a logger once. Empty as long as this program has not begun to log.
static CURRENT: Current = Current(RwLock::new(None));

struct Current(RwLock<Option<Logger>>);

impl Current {
    fn with<T>(&self, see: impl FnOnce(&Logger) -> T) -> Option<T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(see)
    }

    fn put(&self, logger: Logger) {
        // What `log` lets through is asked first, so that it never shuts out what the logger would write.
        let level = logger.filter();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(logger);
        log::set_max_level(level);
    }
}

impl Log for Current {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.with(|logger| logger.enabled(metadata)).unwrap_or(false)
    }

    fn log(&self, record: &Record<'_>) {
        self.with(|logger| {
            if is_broken_body(record) {
                logger.log(&record.to_builder().level(Level::Debug).build());
            } else {
                logger.log(record);
            }
        });
    }

    fn flush(&self) {
        self.with(Log::flush);
    }
}

/// A body that was broken off on purpose, so that nobody takes it for a whole one: that a node drains, or that an answer is gone, is told
/// where it is decided. The HTTP library takes each for a fault, at `error`.
fn is_broken_body(record: &Record<'_>) -> bool {
    record.level() == Level::Error
        && record.target() == "actix_http::h1::dispatcher"
        && record.args().to_string().starts_with("Response payload stream error")
}

/// Logs by this logger. One that is there already belongs to whoever runs this in their own process, and stays.
pub(super) fn begin(logger: Logger) {
    if log::set_logger(&CURRENT).is_ok() {
        CURRENT.put(logger);
    }
}

/// Goes on with this logger, if this program began to log.
pub(super) fn replace(logger: Logger) {
    if CURRENT.with(|_| ()).is_some() {
        CURRENT.put(logger);
    }
}
