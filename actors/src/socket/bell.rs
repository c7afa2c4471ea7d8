//! How the thread that carries sockets hears that frames wait for some of them: once for all, however many they are. To wake
//! each socket's task from another thread would cost a wake-up of that thread for every member of a group.

use std::cell::RefCell;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

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
        let left = BURST.with_borrow_mut(|burst| match burst {
            Some(burst) => {
                burst.wake(self, task);
                None
            }
            None => Some(task),
        });
        if let Some(task) = left {
            self.tasks().push(task);
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
    /// The burst that this thread is in, if it is in one.
    static BURST: RefCell<Option<Gathered>> = const { RefCell::new(None) };
}

/// What a burst gathers.
struct Gathered {
    /// When it began: what is pushed in it is as old.
    begun: Instant,
    /// The bells to be rung at its end, each for its tasks.
    bells: Vec<(Arc<Bell>, Vec<Waker>)>,
}

impl Gathered {
    fn wake(&mut self, bell: &Arc<Bell>, task: Waker) {
        match self.bells.iter_mut().find(|(known, _)| Arc::ptr_eq(known, bell)) {
            Some((_, tasks)) => tasks.push(task),
            None => self.bells.push((bell.clone(), vec![task])),
        }
    }
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
                *burst = Some(Gathered { begun: Instant::now(), bells: Vec::new() });
                true
            }
        });
        Self { is_outermost }
    }

    /// The time, as of the beginning of this thread's burst, if it is in one.
    pub(super) fn now() -> Instant {
        BURST.with_borrow(|burst| burst.as_ref().map(|burst| burst.begun)).unwrap_or_else(Instant::now)
    }
}

impl Drop for Burst {
    fn drop(&mut self) {
        if self.is_outermost {
            let gathered = BURST.take().map(|burst| burst.bells).unwrap_or_default();
            for (bell, mut tasks) in gathered {
                bell.tasks().append(&mut tasks);
                bell.ring();
            }
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
