//! A node, as far as one group's log and one answer concern it.

use std::collections::VecDeque;

use super::super::store::{Known, Published};
use crate::ids::Epoch;
use crate::registry::sequence::Sequence;
use crate::registry::shown::ShownAnswers;
use crate::store::{LogState, StoredEvent};

/// What a node asked the log and has not heard the answer to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    /// Where the log stands, and whether an answer is being written.
    Opened(LogState, bool),
    Confirmed(LogState),
    Filled(Epoch, Vec<StoredEvent>),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Node {
    /// Another one at each start.
    pub(super) id: u8,
    pub(super) sequence: Sequence,
    pub(super) known: Known,
    /// What was published and not yet read; nothing comes while it does not hear.
    pub(super) inbox: VecDeque<Published>,
    pub(super) hears: bool,
    /// Acknowledgements on their way from the store; a connection that is lost takes them along.
    pub(super) replies: VecDeque<Published>,
    /// What was acknowledged and is on its way to the registry.
    pub(super) delivering: VecDeque<Published>,
    /// Answers on their way, which may be late.
    pub(super) late: VecDeque<Answer>,
    /// It has heard again, or the store lives another life, and it must look where the log stands.
    pub(super) must_look: bool,
    /// The store's life at its last beat.
    pub(super) beat: Option<u8>,
    /// The answers that it shows as being written.
    pub(super) answers: ShownAnswers,
    pub(super) doubt: Doubt,
}

/// Whether a node shows an answer of which the store knows nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) enum Doubt {
    #[default]
    None,
    /// The log is to be asked whether it has ended.
    Look,
    /// It has not, and is to be owed.
    Owe,
}
