//! Who takes what a client says.

use std::task::{Context, Poll};

use bytestring::ByteString;
use sophie_actors::protocol::{Close, CloseCode};

use super::Unsent;

/// One socket's program. What it answers later it pushes into the socket's handle; what it says at once may go out directly.
pub trait Receiver: Unpin + 'static {
    /// The connection begins.
    fn opened(&mut self) {}

    /// A frame begins. `false`: there are more than may be; the connection ends as flooding once [`Self::poll_empty`] is ready.
    fn admit(&mut self) -> bool {
        true
    }

    /// Ready when one more frame may be read. Until then what the client sends waits in the network.
    fn poll_room(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// Ready when all that was said is dealt with.
    fn poll_empty(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// A text.
    fn text(&mut self, text: &str, out: &mut Unsent);

    /// Bytes, where they are allowed.
    fn binary(&mut self, _: &[u8], _: &mut Unsent) {}

    /// What is said before a close that the server begins.
    fn goodbye(&self, _: Close) -> Option<ByteString> {
        None
    }

    /// The number that a close has on the wire.
    fn number(&self, code: CloseCode) -> u16 {
        code.code()
    }

    /// The connection is over for the core: nothing more is said or heard. `code`: why the server closed it, if it did.
    fn closed(&mut self, code: Option<CloseCode>);
}
