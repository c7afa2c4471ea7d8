//! `feedback` and `person.ask`: what is said beside the chat. Each costs what a join does: people do neither often, and the application
//! may be told of each.

use super::Work;
use crate::admission::Spending;
use crate::cluster::{USED_ID, ask_for_person};
use crate::ids::{AnswerId, CommandId, GroupName};
use crate::protocol::{AskForPerson, ErrorCode, GiveFeedback, Logged, Refusal};
use crate::socket::Reply;
use crate::store::{Asker, Feedback, PageSize, Rated};

/// What is read of a log at once to find an answer's end.
const PAGE: PageSize = PageSize { events: 200, bytes: 1024 * 1024 };

impl Work {
    pub(super) async fn ask_person(&self, ask: AskForPerson, reply: Reply) {
        match self.try_ask_person(ask, reply.id()).await {
            Ok(()) => reply.ack(),
            Err(refusal) => reply.refuse(&refusal),
        }
    }

    async fn try_ask_person(&self, ask: AskForPerson, id: Option<&CommandId>) -> Result<(), Refusal> {
        if !self.node.options.person {
            let message = "nobody can be asked for here: session.person is off";
            return Err(Refusal::new(ErrorCode::NotAllowed, message));
        }
        let group = self.member_of(ask.group)?;
        self.spend(Spending::Joins, 1).await?;
        let (session, user) = (self.session.clone(), self.socket.access.user().clone());
        let asker = Asker { session, user, text: ask.text };
        let asked = ask_for_person(&self.node, &group, &asker, id).await;
        asked.map_err(|error| self.store_failed("person", &error))?
    }

    pub(super) async fn feedback(&self, given: GiveFeedback, reply: Reply) {
        match self.try_feedback(given, reply.id()).await {
            Ok(()) => reply.ack(),
            Err(refusal) => reply.refuse(&refusal),
        }
    }

    async fn try_feedback(&self, given: GiveFeedback, id: Option<&CommandId>) -> Result<(), Refusal> {
        let GiveFeedback { answer, rating, text } = given;
        self.spend(Spending::Joins, 1).await?;
        let group = match &answer {
            None => self.session.home(),
            Some(answer) => self.group_of(answer).await?.ok_or_else(|| {
                Refusal::new(ErrorCode::NotFound, "no such answer in your groups, or it is no longer kept")
            })?,
        };
        let (session, user) = (self.session.clone(), self.socket.access.user().clone());
        let feedback = Feedback { session, user, group, answer, rating, text, at_ms: 0 };
        let kept = self.node.stores.feedback.add(&feedback, id.map(CommandId::as_str)).await;
        match kept.map_err(|error| self.store_failed("feedback", &error))? {
            Rated::New(kept) => {
                let rating = kept.rating.to_string();
                self.node.metrics.feedback.with_label_values(&[kept.kind(), &rating]).inc();
                self.node.delivery.notifier.rated(&kept);
                Ok(())
            }
            Rated::Again => Ok(()),
            Rated::Conflict => Err(Refusal::new(ErrorCode::BadRequest, USED_ID)),
        }
    }

    /// The group of the session that an answer belongs to: one that is being written, or that its log still holds.
    async fn group_of(&self, answer: &AnswerId) -> Result<Option<GroupName>, Refusal> {
        if !answer.can_be() {
            return Ok(None);
        }
        let stores = &self.node.stores;
        let found = stores.answers.find(answer).await.map_err(|error| self.store_failed("find", &error))?;
        if let Some(record) = found {
            return Ok(self.node.roster.is_member(&self.session, &record.group).then_some(record.group));
        }
        let mut groups = self.node.roster.groups_of(&self.session);
        // The first answer to a message tells its group; another one, which was asked for again, does not.
        groups.sort_by_key(|group| !answer.may_belong_to(group));
        for group in groups {
            if self.has_ended_in(&group, answer).await? {
                return Ok(Some(group));
            }
        }
        Ok(None)
    }

    /// Whether a log holds an answer's end. The newest are looked at first; all beyond the first page cost what reading them does.
    async fn has_ended_in(&self, group: &GroupName, answer: &AnswerId) -> Result<bool, Refusal> {
        let mut before = None;
        loop {
            let page = self.node.stores.logs.read_before(group, before, PAGE).await;
            let page = page.map_err(|error| self.store_failed("read", &error))?;
            let is_end = |body: &str| {
                body.contains(answer.as_str())
                    && serde_json::from_str::<Logged>(body).is_ok_and(|it| it.ended_answer() == Some(answer))
            };
            if page.events.iter().any(|event| is_end(&event.body)) {
                return Ok(true);
            }
            match page.events.first() {
                Some(first) if page.more => before = Some(first.seq),
                _ => return Ok(false),
            }
            self.spend(Spending::Reads, 1).await?;
        }
    }
}
