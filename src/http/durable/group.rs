//! A group as a stream: its logged events, as its members' sockets get them. It never ends.

use std::sync::Arc;

use sophie_actors::ids::{Epoch, GroupName};
use sophie_actors::node::Node;
use sophie_actors::protocol::unix_ms;
use sophie_actors::store::{GroupIndex, LogState, Logs, Page, PageSize, StoredEvent};
use sophie_actors::tails::TailReader;

use super::content::array;
use super::offset::{From, Offset};
use super::stream::{Look, Piece, Stream};
use crate::http::ApiError;

/// Events that are read at once.
const MOST_EVENTS: usize = 500;

/// One reader's group. A position is the place of the last event that the reader has.
pub(super) struct GroupStream {
    group: GroupName,
    /// Known with the first position.
    epoch: Option<Epoch>,
    logs: Arc<dyn Logs>,
    index: Arc<dyn GroupIndex>,
    tail: TailReader,
    /// Reads along, and so what all others at this node read.
    is_live: bool,
    /// It begins where the log begins, wherever that is.
    is_from_start: bool,
}

impl GroupStream {
    /// The group's log, as it is now.
    ///
    /// # Errors
    /// There is none, or the store is away.
    pub(super) async fn open(node: &Node, group: GroupName, is_live: bool) -> Result<Self, ApiError> {
        let tail = node.delivery.tails.follow(&group);
        let (logs, index) = (node.stores.logs.clone(), node.stores.groups.clone());
        // A group that there is not is not made by those who ask for it.
        index.info(&group).await?.ok_or_else(unknown)?;
        Ok(Self { group, epoch: None, logs, index, tail, is_live, is_from_start: false })
    }

    fn epoch(&self) -> &str {
        self.epoch.as_ref().map_or("", Epoch::as_str)
    }

    async fn state(&self) -> Result<LogState, ApiError> {
        let states = self.logs.open(std::slice::from_ref(&self.group)).await?;
        states.into_iter().next().ok_or_else(unknown)
    }

    /// The events after a place.
    async fn read(&self, after: u64, bytes: usize) -> Result<Page, ApiError> {
        let size = PageSize { events: MOST_EVENTS, bytes };
        let page = match self.is_live {
            true => self.tail.read(after, size).await?,
            false => self.logs.read_after(&self.group, after, size).await?,
        };
        match &page.epoch {
            None => Err(unknown()),
            epoch if *epoch != self.epoch => Err(begun_anew()),
            _ => Ok(page),
        }
    }
}

impl Stream for GroupStream {
    fn mime(&self) -> &'static str {
        "application/json"
    }

    fn is_text(&self) -> bool {
        false
    }

    fn offset(&self, position: u64) -> String {
        Offset { epoch: self.epoch().to_owned(), position }.to_string()
    }

    fn name(&self) -> String {
        format!("{}:{}", self.group, self.epoch())
    }

    async fn position(&mut self, from: &From) -> Result<u64, ApiError> {
        let LogState { head, first, .. } = self.state().await?;
        self.epoch = Some(head.epoch);
        match from {
            From::Start => {
                self.is_from_start = true;
                Ok(first.saturating_sub(1))
            }
            From::Now => Ok(head.seq),
            From::At(offset) if offset.epoch != self.epoch() => Err(begun_anew()),
            From::At(offset) if offset.position > head.seq => {
                Err(ApiError::bad_request("`offset` is beyond the tail of this stream"))
            }
            From::At(offset) if offset.position.saturating_add(1) < first => Err(too_old()),
            From::At(offset) => Ok(offset.position),
        }
    }

    async fn piece(&mut self, from: u64, most: usize) -> Result<Piece, ApiError> {
        let page = self.read(from, most).await?;
        let begins = page.events.first().map_or(from, |first| first.seq.saturating_sub(1));
        if begins > from && !self.is_from_start {
            return Err(too_old());
        }
        let (body, taken) = array(page.events.iter().map(StoredEvent::frame), most);
        if taken > 0 {
            self.is_from_start = false;
        }
        let is_tail = !page.more && taken == page.events.len();
        Ok(Piece { body, from: begins, next: begins + taken as u64, is_tail, is_end: false })
    }

    async fn grow(&mut self) -> Result<(), ApiError> {
        self.tail.changed().await;
        Ok(())
    }

    async fn look(&mut self) -> Result<Look, ApiError> {
        let info = self.index.info(&self.group).await?.ok_or_else(unknown)?;
        let tail = self.position(&From::Now).await?;
        let keep_seconds = info.expires_at_ms.saturating_sub(unix_ms()) / 1_000;
        Ok(Look { tail, is_closed: false, keep_seconds })
    }
}

/// What is said of a group that there is not, and of one that is not open to who asks.
pub(super) fn unknown() -> ApiError {
    ApiError::not_found("there is no such group, or it is not open to you")
}

fn begun_anew() -> ApiError {
    ApiError::gone("the group's log has begun anew since this offset was given out; begin anew with -1")
}

fn too_old() -> ApiError {
    ApiError::gone("what follows this offset is no longer kept; begin anew with -1")
}
