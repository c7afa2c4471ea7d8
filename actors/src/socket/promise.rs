//! A socket that something is owed: a fault that breaks the promise must not leave it waiting for ever.

use super::SocketHandle;
use crate::protocol::CloseCode;

/// Closes its socket when dropped before [`Self::kept`]: the client comes back and recovers.
#[derive(Debug)]
pub struct Promise {
    socket: Option<SocketHandle>,
    broken: CloseCode,
}

impl Promise {
    /// Something is owed to `socket`, which is closed as `broken` if it does not get it.
    pub fn new(socket: SocketHandle, broken: CloseCode) -> Self {
        Self { socket: Some(socket), broken }
    }

    /// The socket has got it.
    pub fn kept(mut self) {
        self.socket = None;
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(socket) = self.socket.take() {
            socket.close(self.broken);
        }
    }
}
