//! What is known of a connection outside of it: to cut it, and to tell it of the requests that it brings.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Context;

use futures_util::task::AtomicWaker;

/// What a connection may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Everything.
    Whole,
    /// There are as many as this node takes: it is for probes alone.
    ForProbes,
    /// Its address has as many as an address may have.
    OfTooMany,
}

/// One connection, seen from elsewhere.
#[derive(Debug)]
pub struct Wire {
    standing: Standing,
    cut: AtomicBool,
    task: AtomicWaker,
    begun: AtomicU64,
    ended: AtomicU64,
    /// The head that was read last expects `100 Continue`.
    expected: AtomicBool,
    /// It is to be said.
    go_on: AtomicBool,
}

/// A request that is under way. Dropped when its response has been handed over.
#[derive(Debug)]
pub struct UnderWay(Arc<Wire>);

impl Wire {
    pub(super) fn new(standing: Standing) -> Self {
        Self {
            standing,
            cut: AtomicBool::default(),
            task: AtomicWaker::new(),
            begun: AtomicU64::default(),
            ended: AtomicU64::default(),
            expected: AtomicBool::default(),
            go_on: AtomicBool::default(),
        }
    }

    /// What it may be used for.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Ends the connection whatever is being done on it. Does nothing once it has ended.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        self.task.wake();
    }

    pub(super) fn expect_continue(&self, is_expected: bool) {
        self.expected.store(is_expected, Ordering::Release);
    }

    /// Whether the request that has just come waits for `100 Continue`. Says so once.
    pub fn take_expectation(&self) -> bool {
        self.expected.swap(false, Ordering::AcqRel)
    }

    /// Says `100 Continue`, unless an answer is said before that.
    pub fn say_continue(&self) {
        self.go_on.store(true, Ordering::Release);
        self.task.wake();
    }

    /// Whether it is to be said now. Says so once.
    pub(super) fn take_continue(&self) -> bool {
        self.go_on.swap(false, Ordering::AcqRel)
    }

    /// Whether it is to end; if not, the task that asks is woken when it is.
    pub fn is_cut(&self, cx: &mut Context<'_>) -> bool {
        self.task.register(cx.waker());
        self.cut.load(Ordering::Acquire)
    }

    /// A request was read, and is under way as long as this is held.
    pub fn begin(self: &Arc<Self>) -> UnderWay {
        self.begun.fetch_add(1, Ordering::AcqRel);
        UnderWay(self.clone())
    }

    /// How many requests it has brought.
    pub(super) fn requests(&self) -> u64 {
        self.begun.load(Ordering::Acquire)
    }

    /// Whether none of them is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.ended.load(Ordering::Acquire) == self.requests()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::AcqRel);
    }
}
