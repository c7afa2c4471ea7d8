//! The beginning of a group's answer: it is noted in the store, and the question becomes one to the backend.

use std::time::Duration;

use tokio::time::sleep;

use super::GroupAnswer;
use super::lease::FORGOTTEN;
use crate::answers::{Join, Joined, Reuse, conversation, digest};
use crate::ledger::Asker;
use crate::repeated::{Line, Repeated};
use crate::store::{Page, PageSize, StoredEvent, TakenUp, Wanted};

/// How much of the log is read for the conversation; the token budget cuts it further.
pub(crate) const CONVERSATION: PageSize = PageSize { events: 200, bytes: 1024 * 1024 };
/// A log that cannot be read is tried again after this, so often in all: a connection that was lost is there again by then, and
/// a store that is away does not hold the answer up for longer than a call and that.
const HISTORY_RETRY: Duration = Duration::from_millis(120);
const HISTORY_TRIES: u32 = 4;

/// While the store is away, every answer.
static UNREAD: Repeated = Repeated::of(module_path!(), log::Level::Warn);

impl GroupAnswer {
    /// Notes the answer in the store, and reads the conversation before the question if that comes along. `None`: the message has
    /// been answered before.
    pub(super) async fn begin(&mut self) -> Option<Option<Page>> {
        if self.held_at.elapsed() > FORGOTTEN {
            // Somebody else may have ended it, and that may be forgotten.
            return self.restore().await.then_some(None);
        }
        let wanted = Wanted { before: self.ask.seq, size: CONVERSATION, even_if_off: true };
        match self.parts.stores.answers.take_up(&self.record(), self.ask.once.as_ref(), Some(&wanted)).await {
            Ok(TakenUp::Begun(page)) => Some(Some(page)),
            Ok(TakenUp::Before | TakenUp::Off) => None,
            Err(error) => {
                // Nobody else can answer it either; it is noted when the store is back.
                log::debug!(answer:% = self.answer, error:%; "an answer was not noted");
                self.parts.metrics.store_failed("answer_begin");
                Some(None)
            }
        }
    }

    /// The log before the question. One late call is no reason to answer without it.
    async fn history(&mut self, conversation: Option<Page>) -> Vec<StoredEvent> {
        if let Some(page) = conversation {
            self.epoch = page.epoch;
            return page.events;
        }
        for tried in 1..=HISTORY_TRIES {
            match self.parts.stores.logs.read_before(&self.ask.group, Some(self.ask.seq), CONVERSATION).await {
                Ok(page) => {
                    self.epoch = page.epoch;
                    return page.events;
                }
                Err(error) => log::debug!(group:% = self.ask.group, error:%; "the history was not read"),
            }
            if tried < HISTORY_TRIES {
                sleep(HISTORY_RETRY).await;
            }
        }
        UNREAD.log("history", || {
            let line = Line::of("answered_without_history", "an answer begins without the history, the store is away");
            line.with("group", &self.ask.group).with("answer", &self.answer)
        });
        Vec::new()
    }

    pub(super) async fn join(&mut self, conversation: Option<Page>) -> Option<Joined> {
        let log = self.history(conversation).await;
        let options = self.parts.options.get();
        let conversation = conversation::build(
            &options,
            &log,
            (&self.ask.question, self.ask.with.as_deref()),
            self.ask.context.as_deref(),
        );
        self.prompt_tokens = conversation.prompt_tokens;
        let setting = self.parts.cache.scope;
        let scope = conversation::scope(setting, conversation.has_history, &self.ask.group, &self.ask.user);
        let digest = digest::digest(&scope, &conversation.request.body);
        let reuse = if self.ask.past_cache { Reuse::FRESH } else { Reuse::FREE };
        let asker = Asker { user: self.ask.user.to_string(), group: Some(self.ask.group.clone()) };
        let prompt_tokens = conversation.prompt_tokens;
        let join = Join { digest, request: conversation.request, reuse, asker, prompt_tokens };
        self.answers.join(join).await.ok()
    }
}
