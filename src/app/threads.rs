//! The threads of the program and who lives on which: each is an arbiter, a loop that polls its actors and connections in turn.

use actix::{Arbiter, ArbiterHandle};
use tokio::task::spawn_blocking;

/// All but the first one, which accepts connections.
pub(super) struct Threads {
    /// They serve connections, and carry the sessions whose sockets these are.
    workers: Vec<Arbiter>,
    /// Those of the actors that there is one of. None if there is a single worker: it has a core, or was given one, and a thread more would
    /// only cost it the switches.
    central: Option<Central>,
}

struct Central {
    /// Registry, ear and mirror.
    core: Arbiter,
    /// Limiter and answers: a request asks the one and then the other.
    requests: Arbiter,
}

impl Threads {
    /// So many of them serve, at least one.
    pub(super) fn start(workers: usize) -> Self {
        let central = (workers > 1).then(|| Central { core: Arbiter::new(), requests: Arbiter::new() });
        Self { workers: (0..workers.max(1)).map(|_| Arbiter::new()).collect(), central }
    }

    /// How many there are, with the first one.
    pub(super) fn count(&self) -> usize {
        1 + self.workers.len() + self.central.as_ref().map_or(0, |_| 2)
    }

    /// Those that serve.
    pub(super) fn workers(&self) -> Vec<ArbiterHandle> {
        self.workers.iter().map(Arbiter::handle).collect()
    }

    /// Those that serve operators, who are few.
    pub(super) fn for_operators(&self) -> Vec<ArbiterHandle> {
        vec![self.requests()]
    }

    /// Where the registry lives.
    pub(super) fn core(&self) -> ArbiterHandle {
        self.central.as_ref().map_or(&self.workers[0], |central| &central.core).handle()
    }

    /// Where requests are admitted and answered.
    pub(super) fn requests(&self) -> ArbiterHandle {
        self.central.as_ref().map_or(&self.workers[0], |central| &central.requests).handle()
    }

    /// Ends them, with everything that runs on them.
    pub(super) async fn stop(self) {
        let central = self.central.into_iter().flat_map(|central| [central.core, central.requests]);
        let all: Vec<Arbiter> = self.workers.into_iter().chain(central).collect();
        all.iter().for_each(|thread| _ = thread.stop());
        // A thread is waited for by blocking.
        _ = spawn_blocking(move || all.into_iter().for_each(|thread| _ = thread.join())).await;
    }
}
