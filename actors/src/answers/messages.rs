//! What is asked of the answers, and what they say.

use std::sync::Arc;

use actix::prelude::*;
use bytestring::ByteString;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::generation::{Follower, Generation};
use super::recording::{Recorder, Recording, RecordingReader};
use super::{AskedWith, Stopped};
use crate::admission::{Admit, Admitted, NotAdmitted};
use crate::ids::{AnswerId, GroupName, MessageId, RequestId, SessionId, UserId};
use crate::ledger::Asker;
use crate::openai::BackendRequest;
use crate::store::{Once, Page, RecordingHead, StoreResult};

/// Asks for an answer to a logged message.
#[derive(Debug)]
pub struct Ask {
    /// Its id: of a message that is owed one, [`AnswerId::owed_to`].
    pub answer: AnswerId,
    /// The conversation before it, if the store knows already that it is under way.
    pub begun: Option<Page>,
    /// Who asks.
    pub user: UserId,
    /// In which session, if it is one's.
    pub session: Option<SessionId>,
    /// The group that gets the answer.
    pub group: GroupName,
    /// What is to be answered.
    pub message: MessageId,
    /// Its place in the log.
    pub seq: u64,
    /// Its text.
    pub question: String,
    /// What the application says of who asks; joins the system prompt.
    pub context: Option<String>,
    /// What else it is asked with.
    pub with: Option<Box<AskedWith>>,
    /// The message's once-only key: it is answered once.
    pub once: Option<Once>,
    /// Whether the cache is passed by.
    pub past_cache: bool,
    /// When the question came.
    pub asked_at: Instant,
}

/// Takes a question over.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct TakeOver {
    pub(super) ask: Ask,
    /// What was reserved for it comes once it has been taken over.
    pub(super) admitted: oneshot::Receiver<Admitted>,
    /// On whose behalf.
    pub(super) request: Option<RequestId>,
}

/// Ends a group's answer on behalf of a session. `false`: no such answer is under way in a group that it is in.
#[derive(Message)]
#[rtype(result = "bool")]
pub struct Cancel {
    /// Which answer.
    pub answer: AnswerId,
    /// Who wants it.
    pub by: SessionId,
}

/// Ends an answer that somebody who may has stopped. `false`: it is not written here, or past stopping.
#[derive(Message)]
#[rtype(result = "bool")]
pub(super) struct StopHere {
    pub(super) answer: AnswerId,
    pub(super) why: Stopped,
}

/// Asks for a reader of an answer. `None`: nothing is known of it (any more).
#[derive(Message)]
#[rtype(result = "StoreResult<Option<RecordingReader>>")]
pub struct ReadAnswer(pub AnswerId);

/// Has nothing be known of a recorded answer any more. `false`: nothing was.
#[derive(Message)]
#[rtype(result = "StoreResult<bool>")]
pub struct Forget(pub AnswerId);

/// A recording is written here from now on.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Records(pub(super) AnswerId, pub(super) Arc<Recording>);

/// An answer that goes on without whoever asked for it, as far as it can be read by others.
#[derive(Debug, Message)]
#[rtype(result = "Recorder")]
pub struct Record {
    /// Its id.
    pub answer: AnswerId,
    /// Whose it is, and of what.
    pub head: RecordingHead,
    /// What only its dialect understands.
    pub about: ByteString,
    /// It is written to its end also when nobody reads it.
    pub in_background: bool,
}

/// How many answers are being written here.
#[derive(Message)]
#[rtype(result = "usize")]
pub struct CountRunning;

/// Ends every answer under way as `interrupted`: the node is going.
#[derive(Message)]
#[rtype(result = "()")]
pub struct InterruptAll;

/// Asks for the models that can be asked, as OpenAI's model objects.
#[derive(Message)]
#[rtype(result = "Vec<Value>")]
pub struct ListModels;

/// Asks for a generation: one under way for the same digest, or a new one.
pub struct Join {
    /// The same for equal questions of one scope.
    pub digest: String,
    /// What the backend is asked.
    pub request: BackendRequest,
    /// What the cache and running generations are used for.
    pub reuse: Reuse,
    /// Who asks.
    pub asker: Asker,
    /// About how many tokens the backend is asked with, for when it does not count them.
    pub prompt_tokens: u64,
}

/// What may be shared of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reuse {
    /// A running generation may be joined and the cache read. Otherwise the backend is asked.
    pub read: bool,
    /// A new answer is kept. One that others want kept is.
    pub write: bool,
    /// For so many seconds; `cache.ttl_seconds` without it.
    pub ttl_seconds: Option<u64>,
    /// A kept answer may be so many seconds old; of any age without it.
    pub max_age_seconds: Option<u64>,
}

impl Reuse {
    /// Everything may be shared.
    pub const FREE: Self = Self { read: true, write: true, ttl_seconds: None, max_age_seconds: None };
    /// A fresh answer is wanted, which others may have.
    pub const FRESH: Self = Self { read: false, ..Self::FREE };
    /// An answer for one request alone.
    pub const NOTHING: Self = Self { write: false, ..Self::FRESH };

    /// Whether a kept answer of this age will do.
    pub(super) fn admits(self, age_seconds: u64) -> bool {
        self.max_age_seconds.is_none_or(|most| age_seconds <= most)
    }
}

/// A follower of the generation that was joined or begun.
#[derive(MessageResponse)]
pub struct Joined {
    /// Reads it from its first chunk. When the last one is dropped, so is the request to the backend.
    pub follower: Follower,
    /// Others had asked for it before.
    pub coalesced: bool,
}

/// A [`Join`] on behalf of a request. The backend is asked under the id of the first of equal ones.
#[derive(Message)]
#[rtype(result = "Joined")]
pub(super) struct JoinFor(pub(super) Option<RequestId>, pub(super) Join);

/// An [`AdmitAndJoin`] on behalf of a request.
#[derive(Message)]
#[rtype(result = "Result<(Admitted, Joined), NotAdmitted>")]
pub(super) struct AdmitAndJoinFor(pub(super) Option<RequestId>, pub(super) AdmitAndJoin);

/// Admits a request by the limits and joins its answer: one way there and back in the place of two.
pub struct AdmitAndJoin {
    /// What it is to be admitted to.
    pub admit: Admit,
    /// What it asks.
    pub join: Join,
}

/// A generation has ended, and its cache write with it.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Generated {
    pub(super) digest: String,
    pub(super) generation: Arc<Generation>,
}

/// A group's answer has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct AnswerEnded(pub(super) AnswerId);
