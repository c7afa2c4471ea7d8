//! `answer.cancel` and `answer.retry`.

use super::Work;
use crate::actor::Unanswered;
use crate::admission::Admitted;
use crate::answers::{Ask, AskedWith, Stopped};
use crate::cluster::{CarriedOut, stop_elsewhere};
use crate::ids::{AnswerId, MessageId};
use crate::protocol::{ErrorCode, Logged, Refusal};
use crate::say::{Answered, ask_again};
use crate::socket::Reply;
use crate::store::PageSize;

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
        let stopped = stop_elsewhere(&self.node, answer, Stopped::Cancelled).await;
        stopped.map_err(|error| self.store_failed("tell", &error))?.ok_or_else(not_found)
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
        let answered = self.find(&message).await?;
        let answered = answered.ok_or_else(|| Refusal::new(ErrorCode::NotFound, "no such message in your groups"))?;
        ask_again(&self.node, &self.speaker(), answered).await
    }

    /// Looks a message up in the logs of the session's groups. Its id tells which group and where, so one event is read.
    async fn find(&self, wanted: &MessageId) -> Result<Option<Answered>, Refusal> {
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
                // Where the model no longer takes any, the text is asked alone.
                let most = self.node.options.max_images;
                let with = AskedWith::images(&message.text, &message.images[..message.images.len().min(most)]);
                return Ok(Some(Answered { group, message: message.id, seq, text: message.text, with }));
            }
        }
        Ok(None)
    }
}
