//! Memory stores as tests want them, where a test does not say otherwise.

use sophie_actors::store::memory::MemoryOptions;

/// Room for all that a test does, for as long as it takes.
pub fn memory_options() -> MemoryOptions {
    MemoryOptions {
        log_events: 1_000,
        log_seconds: 86_400,
        cache_bytes: 1 << 20,
        cache_ttl_seconds: 3_600,
        cache_max_entry_bytes: 1 << 20,
        group_expiry_seconds: 86_400,
    }
}
