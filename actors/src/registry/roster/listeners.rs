//! The sockets of one group, side by side: what is told to a group is given to each of them, and nobody is looked up by name.

use crate::ids::SocketId;
use crate::socket::SocketHandle;

/// Sorted by their ids, which grow: who comes is added at the end.
#[derive(Debug, Default)]
pub(super) struct Listeners(Vec<(SocketId, SocketHandle)>);

impl Listeners {
    pub(super) fn add(&mut self, socket: &SocketHandle) {
        let id = socket.id();
        if let Err(place) = self.0.binary_search_by_key(&id, |(id, _)| *id) {
            self.0.insert(place, (id, socket.clone()));
        }
    }

    pub(super) fn remove(&mut self, socket: SocketId) {
        if let Ok(place) = self.0.binary_search_by_key(&socket, |(id, _)| *id) {
            self.0.remove(place);
        }
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (SocketId, &SocketHandle)> {
        self.0.iter().map(|(id, socket)| (*id, socket))
    }
}
