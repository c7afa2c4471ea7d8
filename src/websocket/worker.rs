//! What the sockets of one thread share: room to read into and to write from, compressors, and the bell that wakes them. So an idle
//! socket holds none of it.

use std::cell::{RefCell, RefMut};
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::rt;
use bytestring::ByteString;
use sophie_actors::socket::Bell;

use super::deflate::{Deflater, Inflater};

/// What is read at once, in bytes.
const READ_BYTES: usize = 64 * 1024;
/// Room to write from that is kept, in bytes: a batch of the queue. A larger frame gets more for itself.
const KEPT_WRITE_BYTES: usize = 128 * 1024;
/// Frames of a batch for which room is kept.
const KEPT_FRAMES: usize = 1_024;

/// The thread's.
pub struct Worker {
    pub(super) bell: Arc<Bell>,
    pub(super) read: RefCell<Box<[u8]>>,
    write: RefCell<Vec<u8>>,
    frames: RefCell<Vec<ByteString>>,
    pub(super) inflater: RefCell<Inflater>,
    pub(super) deflater: RefCell<Deflater>,
}

impl Worker {
    /// Of the thread that it is called on, which must run tasks.
    pub fn start() -> Rc<Self> {
        let bell = Arc::new(Bell::default());
        let listened = bell.clone();
        let mut spare = Vec::new();
        rt::spawn(std::future::poll_fn(move |cx| listened.poll_listen(cx, &mut spare)));
        Rc::new(Self {
            bell,
            read: RefCell::new(vec![0; READ_BYTES].into_boxed_slice()),
            write: RefCell::default(),
            frames: RefCell::default(),
            inflater: RefCell::default(),
            deflater: RefCell::default(),
        })
    }

    /// Wakes sockets of this thread.
    pub fn bell(&self) -> Arc<Bell> {
        self.bell.clone()
    }

    /// Room for what is written at once.
    pub(super) fn room(&self) -> Lent<'_, u8> {
        Lent { room: self.write.borrow_mut(), kept: KEPT_WRITE_BYTES }
    }

    /// Room for the frames of a batch.
    pub(super) fn batch(&self) -> Lent<'_, ByteString> {
        Lent { room: self.frames.borrow_mut(), kept: KEPT_FRAMES }
    }
}

/// Room that one socket uses after another. It is emptied when it is given back, however that comes about (an error, a panic): what
/// was meant for one client must never go to the next.
pub(super) struct Lent<'a, T> {
    room: RefMut<'a, Vec<T>>,
    /// For how many its memory is kept.
    kept: usize,
}

impl<T> Deref for Lent<'_, T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.room
    }
}

impl<T> DerefMut for Lent<'_, T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.room
    }
}

impl<T> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        self.room.clear();
        self.room.shrink_to(self.kept);
    }
}
