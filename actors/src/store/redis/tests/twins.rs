//! Both twins beside one model of what they keep: random sequences of calls get the same answers.

mod limits;
mod logs;

use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::store::memory::{self, MemoryOptions};

/// Few enough that logs are cut.
const KEPT: usize = 6;

/// A runtime, and the twins on it. Each case has names of its own in both.
struct Twins {
    runtime: Runtime,
    stores: [Stores; 2],
    _server: Arc<TestServer>,
}

impl Twins {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let server = shared_server();
        let redis = RedisOptions { log_events: KEPT, log_seconds: 86_400, ..options(&server, PATIENT) };
        let memory = MemoryOptions { log_events: KEPT, ..MemoryOptions::of_a_day() };
        let stores = runtime.block_on(async {
            let (redis, _) = connected(redis).await;
            [memory::stores(memory), redis]
        });
        Self { runtime, stores, _server: server }
    }
}
