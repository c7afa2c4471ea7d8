//! What became of each call.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

/// What became of one call.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// The path with its query.
    pub path: String,
    /// By lower-case name.
    pub headers: HashMap<String, String>,
    /// The body, `null` if it was not JSON.
    pub body: Value,
    /// The body as it came.
    pub text: String,
    /// Which connection it came over, counted from 0.
    pub connection: usize,
    /// When it had arrived.
    pub at: Option<Instant>,
    /// Bytes of the response that the network took.
    pub sent: usize,
    /// The script was played to its end.
    pub finished: bool,
    /// The client closed the connection before that.
    pub cancelled: bool,
    /// The client did not read for three seconds while there was something to write.
    pub stalled: bool,
}

/// Where one call writes down what becomes of it.
pub(super) struct Ledger {
    calls: Arc<watch::Sender<Vec<Call>>>,
    n: usize,
}

impl Ledger {
    pub(super) fn open(all: &Arc<watch::Sender<Vec<Call>>>, call: Call) -> Self {
        let mut n = 0;
        all.send_modify(|calls| {
            n = calls.len();
            calls.push(call);
        });
        Self { calls: Arc::clone(all), n }
    }

    pub(super) fn note(&self, change: impl FnOnce(&mut Call)) {
        self.calls.send_modify(|calls| change(&mut calls[self.n]));
    }
}
