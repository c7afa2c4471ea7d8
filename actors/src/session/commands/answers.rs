//! `answer.cancel` and `answer.retry`.

use tokio::time::Instant;

use super::Work;
use crate::answers::{Ask, Cancel};
use crate::ids::{AnswerId, GroupName, MessageId};
use crate::orders::{self, Outcome};
use crate::protocol::{ErrorCode, Logged, Refusal};
use crate::services::PATIENCE;
use crate::session::Reply;
use crate::store::{Concerned, PageSize, Told};

/// How a log is searched for the message of an `answer.retry`.
const SEARCH: PageSize = PageSize { events: 200, bytes: 4 * 1024 * 1024 };

impl Work {
    pub(super) async fn cancel(&self, answer: AnswerId, reply: Reply) {
        match self.try_cancel(answer).await {
            Ok(outcome) => reply.done(&outcome),
            Err(refusal) => reply.refuse(&refusal),
        }
    }

    async fn try_cancel(&self, answer: AnswerId) -> Result<Outcome, Refusal> {
        let cancel = Cancel { answer: answer.clone(), by: self.session.clone() };
        let here = self.services.answers.send(cancel).timeout(PATIENCE).await.map_err(|_| Refusal::internal())?;
        if here {
            return Ok(Outcome::default());
        }
        let not_found = || Refusal::new(ErrorCode::NotFound, "no such answer is under way in your groups");
        let found = self.services.stores.answers.find(&answer).await;
        let found = found.map_err(|error| self.store_failed("find", &error))?;
        found.filter(|it| self.services.roster.is_member(&self.session, &it.group)).ok_or_else(not_found)?;
        // Another node writes it.
        let given = self.services.stores.orders.give(&Told::Cancelled { answer }, Concerned::Everybody).await;
        let given = given.map_err(|error| self.store_failed("tell", &error))?;
        let outcome = orders::confirmed(&self.services, &given, 1).await;
        if outcome == Outcome::default() { Err(not_found()) } else { Ok(outcome) }
    }

    pub(super) async fn retry(&self, message: MessageId, reply: Reply) {
        match self.try_retry(message).await {
            Ok(ask) => {
                reply.ack();
                self.ask(ask).await;
            }
            Err(refusal) => reply.refuse(&refusal),
        }
    }

    async fn try_retry(&self, message: MessageId) -> Result<Ask, Refusal> {
        let asked_at = Instant::now();
        for group in self.services.roster.groups_of(&self.session) {
            if !message.may_belong_to(&group) {
                continue;
            }
            if let Some((seq, question)) = self.find(&group, &message).await? {
                let admitted = self.admit(&group, &question, true).await?;
                return Ok(Ask {
                    user: self.socket.access.user().clone(),
                    group,
                    message,
                    seq,
                    question,
                    context: self.socket.access.context().map(str::to_owned),
                    once: None,
                    past_cache: true,
                    permit: admitted.permit,
                    slot: admitted.slot,
                    asked_at,
                });
            }
        }
        Err(Refusal::new(ErrorCode::NotFound, "no such message in your groups"))
    }

    /// Looks for a message in a group's log, newest first.
    async fn find(&self, group: &GroupName, wanted: &MessageId) -> Result<Option<(u64, String)>, Refusal> {
        let mut before = None;
        loop {
            let page = self.services.stores.logs.read_before(group, before, SEARCH).await;
            let page = page.map_err(|error| self.store_failed("read", &error))?;
            for event in page.events.iter().rev().filter(|event| event.body.contains(wanted.as_str())) {
                if let Ok(Logged::Message { message, .. }) = serde_json::from_str::<Logged>(&event.body)
                    && message.id == *wanted
                {
                    return Ok(Some((event.seq, message.text)));
                }
            }
            match page.events.first() {
                Some(first) if page.more => before = Some(first.seq),
                _ => return Ok(None),
            }
        }
    }
}
