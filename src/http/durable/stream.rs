//! What can be read: something that grows, has places, and may end.

use super::offset::From;
use crate::http::ApiError;

/// A piece of a stream.
#[derive(Debug)]
pub(super) struct Piece {
    /// As it is sent.
    pub(super) body: String,
    /// The position at which it begins.
    pub(super) from: u64,
    /// The position behind it.
    pub(super) next: u64,
    /// There is no more at present.
    pub(super) is_tail: bool,
    /// There will be no more.
    pub(super) is_end: bool,
}

impl Piece {
    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.next == self.from
    }
}

/// A stream as one reader sees it. Positions are the stream's own.
pub(super) trait Stream {
    /// The content type.
    fn mime(&self) -> &'static str;
    /// Whether it is text, which events carry as base64: a line of an event cannot hold a carriage return.
    fn is_text(&self) -> bool;
    /// A position as readers know it.
    fn offset(&self, position: u64) -> String;
    /// What the names of its pieces begin with.
    fn name(&self) -> String;
    /// The position at which a reader begins.
    ///
    /// # Errors
    /// 400: there is no such place. 410: what lies behind it can no longer be had.
    async fn position(&mut self, from: &From) -> Result<u64, ApiError>;
    /// At most so many bytes from a position on, or one message.
    ///
    /// # Errors
    /// It is gone, or cannot be had now.
    async fn piece(&mut self, from: u64, most: usize) -> Result<Piece, ApiError>;
    /// Waits until there may be more. Cancelling the wait loses nothing.
    ///
    /// # Errors
    /// As for [`Self::piece`].
    async fn grow(&mut self) -> Result<(), ApiError>;
    /// Where it stands.
    ///
    /// # Errors
    /// As for [`Self::piece`].
    async fn look(&mut self) -> Result<Look, ApiError>;
}

/// Where a stream stands.
#[derive(Debug)]
pub(super) struct Look {
    /// The position of its tail.
    pub(super) tail: u64,
    /// Nothing more comes.
    pub(super) is_closed: bool,
    /// Seconds for which it is kept, if nothing is added to it.
    pub(super) keep_seconds: u64,
}
