//! `answer.cancel` and `answer.retry`.

use tokio::time::Instant;

use super::Work;
use crate::actor::Unanswered;
use crate::admission::Admitted;
use crate::answers::{Ask, CONVERSATION};
use crate::cluster::{CarriedOut, confirmed};
use crate::ids::{AnswerId, GroupName, MessageId};
use crate::protocol::{ErrorCode, Logged, Refusal};
use crate::socket::Reply;
use crate::store::{AnswerRecord, Concerned, PageSize, TakenUp, Told, Wanted};

/// The message of an `answer.retry`, and no more.
const ONE: PageSize = PageSize { events: 1, bytes: 1 };

impl Work {
    pub(super) async fn cancel(&self, answer: AnswerId, reply: Reply) {
        match self.try_cancel(answer).await {
            Ok(outcome) => reply.done(!outcome.pending.is_empty()),
            Err(refusal) => reply.refuse(&refusal),
        }
    }

    async fn try_cancel(&self, answer: AnswerId) -> Result<CarriedOut, Refusal> {
        let here = self.node.answers.cancel(answer.clone(), self.session.clone()).await;
        let here = here.map_err(|Unanswered| Refusal::internal())?;
        if here {
            return Ok(CarriedOut::default());
        }
        let not_found = || Refusal::new(ErrorCode::NotFound, "no such answer is under way in your groups");
        let found = self.node.stores.answers.find(&answer).await;
        let found = found.map_err(|error| self.store_failed("find", &error))?;
        found.filter(|it| self.node.roster.is_member(&self.session, &it.group)).ok_or_else(not_found)?;
        // Another node writes it.
        let given = self.node.stores.orders.give(&Told::Cancelled { answer }, Concerned::Everybody).await;
        let given = given.map_err(|error| self.store_failed("tell", &error))?;
        let outcome = confirmed(&self.node, &given, 1).await;
        if outcome == CarriedOut::default() { Err(not_found()) } else { Ok(outcome) }
    }

    pub(super) async fn retry(&self, message: MessageId, reply: Reply) {
        match self.try_retry(message).await {
            Ok((ask, admitted)) => {
                reply.ack();
                self.node.ask(ask, admitted).await;
            }
            Err(refusal) => reply.refuse(&refusal),
        }
    }

    async fn try_retry(&self, message: MessageId) -> Result<(Ask, Admitted), Refusal> {
        let asked_at = Instant::now();
        let Some((group, seq, question)) = self.find(&message).await? else {
            return Err(Refusal::new(ErrorCode::NotFound, "no such message in your groups"));
        };
        let mut admitted = self.speaker().admit(&self.node, &group, Some(&question)).await?;
        let record = AnswerRecord {
            answer: AnswerId::random(),
            group,
            message,
            node: self.node.roster.node().clone(),
            text: String::new(),
            start: None,
        };
        // Before the acknowledgement: what was acknowledged ends, whatever becomes of this node.
        let wanted = Wanted { before: seq, size: CONVERSATION, even_if_off: false };
        let begun = match self.node.stores.answers.take_up(&record, None, Some(&wanted)).await {
            Ok(TakenUp::Begun(page)) => page,
            Ok(TakenUp::Before) => return Err(Refusal::internal()),
            Ok(TakenUp::Off) => {
                return Err(Refusal::new(
                    ErrorCode::NotAllowed,
                    "a person answers in this group; the assistant is off",
                ));
            }
            Err(error) => return Err(self.store_failed("answer_begin", &error)),
        };
        admitted.stand();
        let AnswerRecord { answer, group, message, .. } = record;
        let ask = Ask {
            answer,
            begun: Some(begun),
            user: self.socket.access.user().clone(),
            group,
            message,
            seq,
            question,
            context: self.socket.access.context().map(str::to_owned),
            once: None,
            past_cache: true,
            asked_at,
        };
        Ok((ask, admitted))
    }

    /// Looks a message up in the logs of the session's groups. Its id tells which group and where, so one event is read.
    async fn find(&self, wanted: &MessageId) -> Result<Option<(GroupName, u64, String)>, Refusal> {
        let Some(seq) = wanted.seq() else { return Ok(None) };
        for group in self.node.roster.groups_of(&self.session) {
            if !wanted.may_belong_to(&group) {
                continue;
            }
            let page = self.node.stores.logs.read_after(&group, seq.saturating_sub(1), ONE).await;
            let page = page.map_err(|error| self.store_failed("read", &error))?;
            if let Some(event) = page.events.first().filter(|event| event.seq == seq)
                && let Ok(Logged::Message { message, .. }) = serde_json::from_str::<Logged>(&event.body)
                && message.id == *wanted
            {
                return Ok(Some((group, seq, message.text)));
            }
        }
        Ok(None)
    }
}
