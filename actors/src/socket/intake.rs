//! What one socket has taken in and not answered yet. Whoever sends faster than is carried out waits in the network, not in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

/// Commands of one socket that may be under way: they are carried out one after another, so a few are enough to never wait for the
/// client.
const COMMANDS: usize = 32;
/// Bytes of such commands. What a command becomes when it is read is up to 16 times as large.
const BYTES: usize = 64 * 1024;

/// The count of one socket.
#[derive(Debug, Clone, Default)]
pub struct Intake(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    commands: AtomicUsize,
    bytes: AtomicUsize,
    reader: AtomicWaker,
}

/// One command that was taken in. Dropped with its reply, it makes room.
#[derive(Debug)]
pub struct Taken {
    intake: Intake,
    bytes: usize,
}

impl Intake {
    /// Counts a command of so many bytes.
    pub fn take(&self, bytes: usize) -> Taken {
        self.0.commands.fetch_add(1, Ordering::AcqRel);
        self.0.bytes.fetch_add(bytes, Ordering::AcqRel);
        Taken { intake: self.clone(), bytes }
    }

    /// Ready when one more command may be read. One command may be as large as it is: there is nothing that it waits behind.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_below(COMMANDS, BYTES, cx)
    }

    /// Ready when everything has been answered.
    pub fn poll_empty(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_below(1, 1, cx)
    }

    fn poll_below(&self, commands: usize, bytes: usize, cx: &mut Context<'_>) -> Poll<()> {
        let below = || {
            self.0.commands.load(Ordering::Acquire) < commands && self.0.bytes.load(Ordering::Acquire) < bytes.max(1)
        };
        if below() {
            return Poll::Ready(());
        }
        self.0.reader.register(cx.waker());
        // An answer may have come before there was anybody to wake.
        if below() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let counts = &self.intake.0;
        counts.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
        counts.commands.fetch_sub(1, Ordering::AcqRel);
        counts.reader.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_is_room_for_a_few_commands_or_bytes_and_again_when_one_is_answered() {
        let room = |intake: &Intake| intake.poll_room(&mut Context::from_waker(std::task::Waker::noop())).is_ready();
        let intake = Intake::default();
        let mut few: Vec<Taken> = (0..COMMANDS).map(|_| intake.take(10)).collect();
        assert!(!room(&intake));
        few.pop();
        assert!(room(&intake));
        few.clear();
        let large = intake.take(BYTES);
        assert!(!room(&intake));
        let waits = std::future::poll_fn(|cx| intake.poll_empty(cx));
        let (_, ()) = tokio::join!(waits, async { drop(large) });
        assert!(room(&intake));
    }
}
