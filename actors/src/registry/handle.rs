//! The registry as everybody else knows it: one method a question. Each has the time-out, the error as a value, and the one
//! line in the log; what the caller makes of a registry that does not answer is its own affair.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use bytestring::ByteString;
use tokio::time::Instant;

use super::GroupRegistry;
use super::messages::*;
use crate::actor::{Unanswered, ask};
use crate::ids::{AnswerId, Epoch, GroupName, SessionId, SocketId, UserId};
use crate::protocol::Close;
use crate::socket::{Access, Owed, Replay, SessionHandle, SocketHandle};
use crate::store::{AnswerRecord, Attendance, LogState, Spread, StoredEvent};

/// What a question to the registry brings.
pub type Answered<T> = Result<T, Unanswered>;

/// The registry.
#[derive(Debug, Clone)]
pub struct RegistryHandle(Addr<GroupRegistry>);

impl From<Addr<GroupRegistry>> for RegistryHandle {
    fn from(actor: Addr<GroupRegistry>) -> Self {
        Self(actor)
    }
}

impl RegistryHandle {
    async fn ask<M>(&self, what: &'static str, message: M) -> Answered<M::Result>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        GroupRegistry: Handler<M>,
    {
        ask(&self.0, "group registry", what, message).await
    }

    /// Gives it its factory; before this it opens no session.
    ///
    /// # Errors
    /// As for every question: no answer in time, or it has ended.
    pub async fn install(&self, factory: SessionFactory) -> Answered<()> {
        self.ask("install", Install(factory)).await
    }

    /// Gives it somebody to ask for what was missed; before this it asks nobody, and opens no session either.
    ///
    /// # Errors
    /// No answer.
    pub async fn read_by(&self, ear: Recipient<FillGap>) -> Answered<()> {
        self.ask("read by", ReadBy(ear)).await
    }

    /// A session's actor, which is made on the caller's thread if there is none; or why there is none.
    ///
    /// # Errors
    /// No answer.
    pub async fn open(&self, session: SessionId) -> Answered<Result<SessionHandle, Close>> {
        self.ask("open", Open { session, thread: Arbiter::current() }).await
    }

    /// Registers a socket and sends its `session.ready`, in one step; returns what must be replayed to it.
    ///
    /// # Errors
    /// No answer.
    pub async fn attach(&self, attach: Attach) -> Answered<Option<Replay>> {
        self.ask("attach", attach).await
    }

    /// A socket is gone.
    ///
    /// # Errors
    /// No answer: it is told all the same, unless the registry has no place for one message more.
    pub async fn detach(&self, session: SessionId, socket: SocketId) -> Answered<()> {
        self.ask("detach", Detach { session, socket }).await
    }

    /// A socket's client has shown a new token.
    ///
    /// # Errors
    /// No answer.
    pub async fn refreshed(&self, session: SessionId, socket: SocketId, access: Arc<dyn Access>) -> Answered<()> {
        self.ask("refreshed", Refreshed { session, socket, access }).await
    }

    /// Holds back what comes for these groups until [`Self::enter`] says where their logs stand.
    ///
    /// # Errors
    /// No answer.
    pub async fn prepare(&self, groups: Vec<GroupName>) -> Answered<()> {
        self.ask("prepare", Prepare(groups)).await
    }

    /// Makes a session a member; returns what must be replayed to the socket that joins.
    ///
    /// # Errors
    /// No answer.
    pub async fn enter(&self, enter: Enter) -> Answered<Option<Replay>> {
        self.ask("enter", enter).await
    }

    /// A session has become a member at another node: its members are told.
    ///
    /// # Errors
    /// No answer.
    pub async fn entered(&self, session: SessionId, user: UserId, group: GroupName) -> Answered<()> {
        self.ask("entered", Entered { session, user, group }).await
    }

    /// Ends a session's membership, here or at another node, and tells the members.
    ///
    /// # Errors
    /// No answer.
    pub async fn leave(&self, session: SessionId, user: UserId, group: GroupName) -> Answered<()> {
        self.ask("leave", Leave { session, user, group }).await
    }

    /// An event was logged: it is delivered in its turn. Waited for, so that what its author asks next is answered behind it.
    ///
    /// # Errors
    /// No answer: the group's next event shows the gap.
    pub async fn deliver(&self, deliver: Deliver) -> Answered<()> {
        self.ask("deliver", deliver).await
    }

    /// A log is known to reach `seq`: what has not been delivered is read.
    ///
    /// # Errors
    /// No answer: the group's next event shows the gap.
    pub async fn reached(&self, group: GroupName, seq: u64) -> Answered<()> {
        self.ask("reached", Reached { group, seq }).await
    }

    /// The same of this node's own events, as they were heard: of this epoch.
    ///
    /// # Errors
    /// No answer: the group's next event shows the gap.
    pub async fn logged_here(&self, group: GroupName, epoch: Epoch, seq: u64) -> Answered<()> {
        self.ask("logged here", LoggedHere { group, epoch, seq }).await
    }

    /// An answer's end is in the log: there it is read if it has not been delivered.
    ///
    /// # Errors
    /// No answer: the next look at the logs finds it.
    pub async fn answer_over(&self, over: AnswerOver) -> Answered<()> {
        self.ask("answer over", over).await
    }

    /// Answers of which the store knew nothing were looked for.
    ///
    /// # Errors
    /// No answer: while they run they are looked for no more.
    pub async fn lost_settled(&self, group: GroupName, answers: Vec<AnswerId>) -> Answered<()> {
        self.ask("lost settled", LostSettled { group, answers }).await
    }

    /// Where a log stands of which it was asked whether it is the one that was delivered; none if it could not be asked.
    ///
    /// # Errors
    /// No answer: it asks again.
    pub async fn confirmed(&self, group: GroupName, state: Option<LogState>) -> Answered<()> {
        self.ask("confirmed", Confirmed { group, state }).await
    }

    /// What a gap turned out to hold; none if it could not be read.
    ///
    /// # Errors
    /// No answer: it asks again.
    pub async fn filled(&self, group: GroupName, page: Option<(Epoch, Vec<StoredEvent>)>) -> Answered<()> {
        self.ask("filled", Filled { group, page }).await
    }

    /// Where logs stand now, and which answers are being written, after something may have been missed.
    ///
    /// # Errors
    /// No answer: the next look does it.
    pub async fn resynced(&self, logs: Vec<(GroupName, LogState)>, answers: Vec<AnswerRecord>) -> Answered<()> {
        self.ask("resynced", Resynced { logs, answers }).await
    }

    /// How many members a group has at all nodes; none if the store is away.
    ///
    /// # Errors
    /// No answer: fewer are told.
    pub async fn counted(&self, group: GroupName, spread: Option<Spread>) -> Answered<()> {
        self.ask("counted", Counted { group, spread }).await
    }

    /// Who answers in groups, as the store has it: their members are told of what is new.
    ///
    /// # Errors
    /// No answer: the next look at the logs tells it.
    pub async fn attended(&self, groups: Vec<(GroupName, Attendance)>) -> Answered<()> {
        self.ask("attended", Attended(groups)).await
    }

    /// What the store knows of an answer of which something was missed; none if nothing.
    ///
    /// # Errors
    /// No answer: its next piece shows the gap.
    pub async fn answer_found(&self, group: GroupName, answer: AnswerId, record: Option<AnswerRecord>) -> Answered<()> {
        self.ask("answer found", AnswerFound { group, answer, record }).await
    }

    /// Sends an unlogged frame to a group's sockets here.
    ///
    /// # Errors
    /// No answer.
    pub async fn fan_out(&self, fanout: Fanout) -> Answered<()> {
        self.ask("fan out", fanout).await
    }

    /// Sends an unlogged frame to the sockets of one session here.
    ///
    /// # Errors
    /// No answer.
    pub async fn send_to(&self, session: SessionId, frame: ByteString) -> Answered<()> {
        self.ask("send to", SendTo { session, frame }).await
    }

    /// An answer begins.
    ///
    /// # Errors
    /// No answer: its end shows it.
    pub async fn answer_started(&self, started: AnswerStarted) -> Answered<()> {
        self.ask("answer started", started).await
    }

    /// An answer grew.
    ///
    /// # Errors
    /// No answer: its next piece shows the gap.
    pub async fn answer_grew(&self, grew: AnswerGrew) -> Answered<()> {
        self.ask("answer grew", grew).await
    }

    /// Gives a socket the next piece of a text that it is owed; whether more of it is owed.
    ///
    /// # Errors
    /// No answer.
    pub async fn more_of(&self, owed: Owed, socket: SocketHandle) -> Answered<bool> {
        self.ask("more of", MoreOf { owed, socket }).await
    }

    /// A session's actor has ended.
    pub fn session_ended(&self, ended: SessionEnded) {
        #[allow(clippy::disallowed_methods, reason = "an end must not get lost, and there is one per session")]
        self.0.do_send(ended);
    }

    /// Closes the sockets that a session has here; how many. Those that came later than `before`, in Unix milliseconds, stay.
    ///
    /// # Errors
    /// No answer.
    pub async fn disconnect(&self, session: SessionId, close: Close, before: Option<u64>) -> Answered<usize> {
        self.ask("disconnect", Disconnect { session, close, before }).await
    }

    /// Closes every socket of the sessions of a group here.
    ///
    /// # Errors
    /// No answer.
    pub async fn close_group(&self, group: GroupName, close: Close) -> Answered<()> {
        self.ask("close group", CloseGroup { group, close }).await
    }

    /// Ends a group: its members are told that they left. Who came later than `before`, in Unix milliseconds, stays. Returns
    /// those who left.
    ///
    /// # Errors
    /// No answer.
    pub async fn end_group(&self, group: GroupName, before: Option<u64>) -> Answered<Vec<SessionId>> {
        self.ask("end group", EndGroup { group, before }).await
    }

    /// No more sessions; the sockets are closed one after another within the time given, those with an answer under way last.
    /// Asked a second time, none is left open for its turn, and within the new time all are closed.
    ///
    /// # Errors
    /// No answer.
    pub async fn drain(&self, within: Duration) -> Answered<()> {
        self.ask("drain", Drain { within }).await
    }

    /// How long a message waits for it; at most `patience`.
    pub async fn delay(&self, patience: Duration) -> Duration {
        let asked = Instant::now();
        _ = self.0.send(Prepare(Vec::new())).timeout(patience).await;
        asked.elapsed()
    }
}
