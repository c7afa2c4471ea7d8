//! What the sockets of one thread share: room to read into and to write from, compressors, and the bell that wakes them. So an idle
//! socket holds none of it.

use std::cell::RefCell;
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

/// The thread's.
pub struct Worker {
    pub(super) bell: Arc<Bell>,
    pub(super) read: RefCell<Box<[u8]>>,
    pub(super) write: RefCell<Vec<u8>>,
    pub(super) frames: RefCell<Vec<ByteString>>,
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
}

/// Empties what was written from.
pub(super) fn clear(write: &mut Vec<u8>) {
    write.clear();
    write.shrink_to(KEPT_WRITE_BYTES);
}
