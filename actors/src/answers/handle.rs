//! The answers as everybody else knows them: one method a question, each with the time-out and the one line in the log.

use std::sync::Arc;

use actix::prelude::*;
use serde_json::Value;
use tokio::sync::oneshot;

use super::messages::*;
use super::recording::{Recorder, Recording, RecordingReader};
use super::{Answers, ListUnderWay, Stopped, UnderWay};
use crate::actor::{Unanswered, ask};
use crate::admission::{Admitted, NotAdmitted};
use crate::ids::{AnswerId, RequestId, SessionId};
use crate::store::{StoreError, StoreResult};

/// The answers.
#[derive(Debug, Clone)]
pub struct AnswersHandle(Addr<Answers>);

impl From<Addr<Answers>> for AnswersHandle {
    fn from(actor: Addr<Answers>) -> Self {
        Self(actor)
    }
}

impl AnswersHandle {
    async fn ask_for<M>(&self, what: &'static str, message: M) -> Result<M::Result, Unanswered>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        Answers: Handler<M>,
    {
        ask(&self.0, "answers", what, message).await
    }

    /// Takes a question over, with what was reserved for it.
    ///
    /// # Errors
    /// No answer in time, or they have ended: a mailbox that comes to it later passes over it, and what was reserved is given back.
    pub async fn ask(&self, ask: Ask, admitted: Admitted) -> Result<(), Unanswered> {
        // Not within the message: a mailbox that is stuck would hold it.
        let (hand_over, handed) = oneshot::channel();
        self.ask_for("ask", TakeOver { ask, admitted: handed, request: RequestId::current() }).await?;
        _ = hand_over.send(admitted);
        Ok(())
    }

    /// Follows an answer that is under way, or has it generated.
    ///
    /// # Errors
    /// No answer.
    pub async fn join(&self, join: Join) -> Result<Joined, Unanswered> {
        self.ask_for("join", JoinFor(RequestId::current(), join)).await
    }

    /// Admits a request and joins its answer, in one step.
    ///
    /// # Errors
    /// No answer, or not admitted.
    pub async fn admit_and_join(&self, request: AdmitAndJoin) -> Result<(Admitted, Joined), NotAdmitted> {
        self.ask_for("admit and join", AdmitAndJoinFor(RequestId::current(), request)).await?
    }

    /// Cancels an answer of this node, of a group that the session is in. `false`: there is none.
    ///
    /// # Errors
    /// No answer.
    pub async fn cancel(&self, answer: AnswerId, by: SessionId) -> Result<bool, Unanswered> {
        self.ask_for("cancel", Cancel { answer, by }).await
    }

    /// Stops an answer of this node, on behalf of somebody who may. `false`: there is none.
    ///
    /// # Errors
    /// No answer.
    pub async fn stop_here(&self, answer: AnswerId, why: Stopped) -> Result<bool, Unanswered> {
        self.ask_for("stop here", StopHere { answer, why }).await
    }

    /// Begins to record an answer that its caller writes.
    ///
    /// # Errors
    /// No answer.
    pub async fn record(&self, record: Record) -> Result<Recorder, Unanswered> {
        self.ask_for("record", record).await
    }

    /// Reads an answer from its first chunk, wherever it is written, or was. `None`: nothing is known of it (any more).
    ///
    /// # Errors
    /// The store is away, or no answer.
    pub async fn read(&self, answer: AnswerId) -> StoreResult<Option<RecordingReader>> {
        self.ask_for("read an answer", ReadAnswer(answer)).await.map_err(unanswered)?
    }

    /// Has nothing be known of a recorded answer any more; it must have ended. `false`: nothing was.
    ///
    /// # Errors
    /// The store is away, or no answer.
    pub async fn forget(&self, answer: AnswerId) -> StoreResult<bool> {
        self.ask_for("forget an answer", Forget(answer)).await.map_err(unanswered)?
    }

    /// The answers that are written or read here.
    ///
    /// # Errors
    /// No answer.
    pub async fn under_way(&self) -> Result<Vec<UnderWay>, Unanswered> {
        self.ask_for("under way", ListUnderWay).await
    }

    /// How many answers this node writes for groups.
    ///
    /// # Errors
    /// No answer.
    pub async fn running(&self) -> Result<usize, Unanswered> {
        self.ask_for("running", CountRunning).await
    }

    /// Ends all of them as interrupted.
    ///
    /// # Errors
    /// No answer.
    pub async fn interrupt_all(&self) -> Result<(), Unanswered> {
        self.ask_for("interrupt all", InterruptAll).await
    }

    /// The models that may be asked.
    ///
    /// # Errors
    /// No answer.
    pub async fn models(&self) -> Result<Vec<Value>, Unanswered> {
        self.ask_for("models", ListModels).await
    }

    /// A recording is written here from now on.
    ///
    /// # Errors
    /// No answer.
    pub(super) async fn records(&self, answer: AnswerId, recording: Arc<Recording>) -> Result<(), Unanswered> {
        self.ask_for("records", Records(answer, recording)).await
    }

    /// A group's answer has ended, whichever way.
    pub(super) fn ended(&self, answer: AnswerId) {
        #[allow(clippy::disallowed_methods, reason = "an end must not get lost, and there is one per answer")]
        self.0.do_send(AnswerEnded(answer));
    }

    /// A generation is through.
    pub(super) fn generated(&self, generated: Generated) {
        #[allow(clippy::disallowed_methods, reason = "an end must not get lost, and there is one per generation")]
        self.0.do_send(generated);
    }
}

fn unanswered(_: Unanswered) -> StoreError {
    StoreError::Unavailable("the answers did not reply".to_owned())
}
