//! Brings a socket what was too long to be shown to it at once, piece by piece as its client reads.

use super::RegistryHandle;
use crate::actor::PATIENCE;
use crate::socket::{Owed, SocketHandle};

/// Pays what is owed to a socket. Outlives whoever calls it.
pub(super) fn pay_owed(registry: RegistryHandle, socket: SocketHandle, owed: Vec<Owed>) {
    if owed.is_empty() {
        return;
    }
    owed.iter().for_each(|owed| socket.owe(&owed.of));
    actix::spawn(async move {
        for owed in owed {
            while socket.wants_more().await {
                match registry.more_of(owed.clone(), socket.clone()).await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(_) => tokio::time::sleep(PATIENCE).await,
                }
            }
        }
    });
}
