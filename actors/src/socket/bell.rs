//! How the thread that carries sockets hears that frames wait for some of them: once for all, however many they are. To wake
//! each socket's task from another thread would cost a wake-up of that thread for every member of a group.

use std::cell::RefCell;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::task::AtomicWaker;

/// What sockets of one thread share.
#[derive(Debug, Default)]
pub struct Bell {
    /// Tasks of sockets for which something waits.
    tasks: Mutex<Vec<Waker>>,
    /// Whoever wakes them, on their own thread.
    listener: AtomicWaker,
    rung: AtomicBool,
}

impl Bell {
    fn tasks(&self) -> MutexGuard<'_, Vec<Waker>> {
        // A list is whole between statements.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a task woken by the listener, at once or at the end of the [`Burst`] that this thread is in.
    pub(super) fn wake(self: &Arc<Self>, task: Waker) {
        self.tasks().push(task);
        let is_deferred = BURST.with_borrow_mut(|burst| match burst {
            Some(bells) => {
                if !bells.iter().any(|bell| Arc::ptr_eq(bell, self)) {
                    bells.push(self.clone());
                }
                true
            }
            None => false,
        });
        if !is_deferred {
            self.ring();
        }
    }

    fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.listener.wake();
        }
    }

    /// Wakes the tasks for which something waits, for as long as it is polled. To run once on the thread of those tasks.
    pub fn poll_listen(&self, cx: &mut Context<'_>, spare: &mut Vec<Waker>) -> Poll<()> {
        self.listener.register(cx.waker());
        self.rung.store(false, Ordering::Release);
        mem::swap(&mut *self.tasks(), spare);
        spare.drain(..).for_each(Waker::wake);
        Poll::Pending
    }
}

thread_local! {
    /// The bells to be rung at the end of this thread's burst, if it is in one.
    static BURST: RefCell<Option<Vec<Arc<Bell>>>> = const { RefCell::new(None) };
}

/// While it lives, this thread's pushes wake no other thread. When dropped, it wakes each that something waits for, once.
#[derive(Debug)]
pub struct Burst {
    /// A burst within a burst ends with that.
    is_outermost: bool,
}

impl Burst {
    /// Begins one.
    pub fn begin() -> Self {
        let is_outermost = BURST.with_borrow_mut(|burst| match burst {
            Some(_) => false,
            None => {
                *burst = Some(Vec::new());
                true
            }
        });
        Self { is_outermost }
    }
}

impl Drop for Burst {
    fn drop(&mut self) {
        if self.is_outermost {
            let bells = BURST.take().unwrap_or_default();
            bells.iter().for_each(|bell| bell.ring());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn count() -> (Arc<Counted>, Waker) {
        let counted = Arc::new(Counted::default());
        (counted.clone(), Waker::from(counted))
    }

    #[test]
    fn a_burst_wakes_the_thread_once_and_every_task() {
        let bell = Arc::new(Bell::default());
        let (listens, listener) = count();
        let (runs, task) = count();
        let woken = |counted: &Counted| counted.0.load(Ordering::Relaxed);
        let listen = || _ = bell.poll_listen(&mut Context::from_waker(&listener), &mut Vec::new());
        listen();
        {
            let _outer = Burst::begin();
            for _ in 0..100 {
                let _inner = Burst::begin();
                bell.wake(task.clone());
            }
            assert_eq!(woken(&listens), 0);
        }
        assert_eq!((woken(&listens), woken(&runs)), (1, 0));
        listen();
        assert_eq!((woken(&listens), woken(&runs)), (1, 100));
        bell.wake(task.clone());
        bell.wake(task);
        assert_eq!(woken(&listens), 2, "outside of a burst at once, and once for what has not been heard");
        listen();
        assert_eq!(woken(&runs), 102);
    }
}
