//! The answers.
//!
//! Owns: the generations under way (one for equal questions), the answers that groups follow, the response cache. The
//! only caller of the AI backend. Receives: questions from sessions, cancellations. Sends: an answer's progress and its
//! end to the registry, what it cost to the limiter. Ends when: never; its end ends the process, and answers under way
//! end as `interrupted` once their leases have run out.

mod conversation;
mod desk;
mod digest;
mod ending;
mod flying;
mod generate;
mod generation;
mod group_answer;
mod heard;
pub(crate) mod lost;
mod orphans;
mod slots;
mod tokens;

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::prelude::*;
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

pub use slots::{Slot, Slots};
pub use tokens::{Weight, estimate_prompt_tokens, estimate_tokens};

use crate::actor::{ExitGuard, PATIENCE};
use crate::admission::{Admit, Permit, RateLimiter, Refund, Refused, Settle};
use crate::backend::{Backend, ChatRequest};
use crate::django::Notifier;
use crate::ids::{AnswerId, GroupName, MessageId, SessionId, UserId};
use crate::ledger::{Asker, Ledger};
use crate::metrics::Metrics;
use crate::options::{AnswerOptions, CacheOptions};
use crate::registry::{RegistryHandle, Roster};
use crate::store::{Once, Stores};
pub use digest::{Scope, digest};
use generation::Generation;
pub use generation::{End, Follower, Next, Origin};

/// Questions that may wait.
const MAILBOX: usize = 16_384;
/// How often leases that ran out are looked for.
const LOOK_FOR_ORPHANS: Duration = Duration::from_secs(1);
/// How often what answers cost is written into the store.
const WRITE_LEDGER: Duration = Duration::from_secs(1);

/// Asks for an answer to a logged message.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct Ask {
    /// Its id: of a message that is owed one, [`AnswerId::owed_to`].
    pub answer: AnswerId,
    /// Whether the store knows already that it is under way.
    pub begun: bool,
    /// Who asks.
    pub user: UserId,
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
    /// The message's once-only key: it is answered once.
    pub once: Option<Once>,
    /// Whether the cache is passed by.
    pub past_cache: bool,
    /// What was reserved.
    pub permit: Permit,
    /// The session's slot, held until the end; applications have none.
    pub slot: Option<Slot>,
    /// When the question came.
    pub asked_at: Instant,
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

/// Ends an answer that somebody who may has cancelled. `false`: it is not written here, or past cancelling.
#[derive(Message)]
#[rtype(result = "bool")]
pub struct CancelHere(pub AnswerId);

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
#[derive(Message)]
#[rtype(result = "Joined")]
pub struct Join {
    /// The same for equal questions of one scope.
    pub digest: String,
    /// What the backend is asked.
    pub request: ChatRequest,
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
    fn admits(self, age_seconds: u64) -> bool {
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

/// Admits a request by the limits and joins its answer: one way there and back in the place of two.
#[derive(Message)]
#[rtype(result = "Result<Admitted, NotAdmitted>")]
pub struct AdmitAndJoin {
    /// What it is to be admitted to.
    pub admit: Admit,
    /// What it asks.
    pub join: Join,
}

/// A request that was admitted.
pub struct Admitted {
    /// What was reserved for it.
    pub permit: Permit,
    /// Its answer.
    pub joined: Joined,
}

/// Why a request has no answer.
#[derive(Debug)]
pub enum NotAdmitted {
    /// A limit is used up.
    Refused(Box<Refused>),
    /// An actor did not reply in time.
    Failed,
}

/// A generation has ended, and its cache write with it.
#[derive(Message)]
#[rtype(result = "()")]
struct Generated {
    digest: String,
    generation: Arc<Generation>,
}

/// A group's answer has ended.
#[derive(Message)]
#[rtype(result = "()")]
struct AnswerEnded(AnswerId);

struct Running {
    group: GroupName,
    /// Gone once the answer is past cancelling and only its end remains to be logged.
    cancel: Weak<Notify>,
}

impl Running {
    /// Whether it could still be cancelled.
    fn cancel(&self) -> bool {
        let cancel = self.cancel.upgrade();
        cancel.inspect(|cancel| cancel.notify_one()).is_some()
    }
}

/// What answers are made with.
pub struct Parts {
    /// Who is in which group.
    pub roster: Arc<Roster>,
    /// Logs, leases, cache.
    pub stores: Stores,
    /// The writer.
    pub backend: Arc<dyn Backend>,
    /// Gets every answer's progress.
    pub registry: RegistryHandle,
    /// Tells Django of every answer's progress.
    pub notifier: Notifier,
    /// Settles what answers cost.
    pub limiter: Addr<RateLimiter>,
    /// `[ai]`
    pub options: AnswerOptions,
    /// `[cache]`
    pub cache: CacheOptions,
    /// Whether texts may be written to the log (`log.content`).
    pub log_content: bool,
    /// What answers cost.
    pub ledger: Arc<Ledger>,
    /// Figures.
    pub metrics: Metrics,
}

/// The actor.
pub struct Answers {
    parts: Arc<Parts>,
    generations: HashMap<String, Arc<Generation>>,
    running: HashMap<AnswerId, Running>,
    looking_for_orphans: bool,
    closing: watch::Sender<bool>,
    _exit: ExitGuard,
}

impl Answers {
    /// Without any answers.
    pub fn new(parts: Parts, exit: ExitGuard) -> Self {
        Self {
            parts: Arc::new(parts),
            generations: HashMap::new(),
            running: HashMap::new(),
            looking_for_orphans: false,
            closing: watch::Sender::new(false),
            _exit: exit,
        }
    }
}

impl Actor for Answers {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(WRITE_LEDGER, |answers, ctx| {
            let ledger = answers.parts.ledger.clone();
            ctx.spawn(async move { ledger.flush().await }.into_actor(answers));
        });
        ctx.run_interval(LOOK_FOR_ORPHANS, |answers, ctx| {
            if !answers.looking_for_orphans {
                answers.looking_for_orphans = true;
                let own = answers.running.keys().cloned().collect();
                let looked = orphans::end_all(answers.parts.clone(), own);
                ctx.spawn(looked.into_actor(answers).map(|(), answers, _| answers.looking_for_orphans = false));
            }
        });
    }
}

impl Handler<Ask> for Answers {
    type Result = ();

    fn handle(&mut self, ask: Ask, ctx: &mut Context<Self>) {
        let answer = ask.answer.clone();
        if self.running.contains_key(&answer) {
            // The same message, sent twice at once: one of them is answered.
            let settle = Settle { permit: ask.permit, tokens: 0 };
            let settled = self.parts.limiter.send(settle).timeout(PATIENCE);
            ctx.spawn(async move { _ = settled.await }.into_actor(self));
            return;
        }
        let cancel = Arc::new(Notify::new());
        self.running.insert(answer.clone(), Running { group: ask.group.clone(), cancel: Arc::downgrade(&cancel) });
        self.parts.metrics.answers_running.set(self.running.len() as i64);
        let ended = EndedOnDrop { answers: ctx.address(), answer: Some(answer.clone()) };
        // A task of its own: a fault in one answer must not take the others along.
        actix::spawn(group_answer::run(
            self.parts.clone(),
            ctx.address(),
            ask,
            cancel,
            self.closing.subscribe(),
            ended,
        ));
    }
}

impl Handler<Cancel> for Answers {
    type Result = bool;

    fn handle(&mut self, Cancel { answer, by }: Cancel, _: &mut Context<Self>) -> bool {
        let running = self.running.get(&answer);
        running.is_some_and(|it| self.parts.roster.is_member(&by, &it.group) && it.cancel())
    }
}

impl Handler<CancelHere> for Answers {
    type Result = bool;

    fn handle(&mut self, CancelHere(answer): CancelHere, _: &mut Context<Self>) -> bool {
        self.running.get(&answer).is_some_and(Running::cancel)
    }
}

impl Handler<CountRunning> for Answers {
    type Result = usize;

    fn handle(&mut self, _: CountRunning, _: &mut Context<Self>) -> usize {
        self.running.len()
    }
}

impl Handler<InterruptAll> for Answers {
    type Result = ();

    fn handle(&mut self, _: InterruptAll, _: &mut Context<Self>) {
        self.closing.send_replace(true);
    }
}

impl Handler<ListModels> for Answers {
    type Result = ResponseFuture<Vec<Value>>;

    fn handle(&mut self, _: ListModels, _: &mut Context<Self>) -> Self::Result {
        let backend = self.parts.backend.clone();
        Box::pin(async move { backend.models().await })
    }
}

impl Handler<Join> for Answers {
    type Result = Joined;

    fn handle(&mut self, join: Join, ctx: &mut Context<Self>) -> Joined {
        let reuse = join.reuse;
        let under_way = match reuse.read {
            true => self.generations.get(&join.digest).filter(|it| it.suits(reuse)).and_then(Generation::follow),
            false => None,
        };
        if let Some(follower) = under_way {
            follower.wants(reuse, join.asker);
            return Joined { follower, coalesced: true };
        }
        let generation = Arc::new(Generation::default());
        let follower = generation.follow().expect("a fresh generation is not abandoned");
        follower.wants(reuse, join.asker.clone());
        if reuse.read {
            self.generations.insert(join.digest.clone(), generation.clone());
        }
        actix::spawn(generate::run(self.parts.clone(), ctx.address(), generation, join));
        Joined { follower, coalesced: false }
    }
}

impl Handler<AdmitAndJoin> for Answers {
    type Result = ResponseFuture<Result<Admitted, NotAdmitted>>;

    fn handle(&mut self, AdmitAndJoin { admit, join }: AdmitAndJoin, ctx: &mut Context<Self>) -> Self::Result {
        let (limiter, answers) = (self.parts.limiter.clone(), ctx.address());
        Box::pin(async move {
            let admitted = limiter.send(admit).timeout(PATIENCE).await.map_err(|_| NotAdmitted::Failed)?;
            let permit = admitted.map_err(|refused| NotAdmitted::Refused(Box::new(refused)))?;
            match answers.send(join).timeout(PATIENCE).await {
                Ok(joined) => Ok(Admitted { permit, joined }),
                Err(_) => {
                    _ = limiter.send(Refund(permit)).timeout(PATIENCE).await;
                    Err(NotAdmitted::Failed)
                }
            }
        })
    }
}

impl Handler<Generated> for Answers {
    type Result = ();

    fn handle(&mut self, Generated { digest, generation }: Generated, _: &mut Context<Self>) {
        if self.generations.get(&digest).is_some_and(|known| Arc::ptr_eq(known, &generation)) {
            self.generations.remove(&digest);
        }
    }
}

impl Handler<AnswerEnded> for Answers {
    type Result = ();

    fn handle(&mut self, AnswerEnded(answer): AnswerEnded, _: &mut Context<Self>) {
        self.running.remove(&answer);
        self.parts.metrics.answers_running.set(self.running.len() as i64);
    }
}

/// Reports a group answer's end, also when its task fails.
struct EndedOnDrop {
    answers: Addr<Answers>,
    answer: Option<AnswerId>,
}

impl Drop for EndedOnDrop {
    fn drop(&mut self) {
        if let Some(answer) = self.answer.take() {
            #[allow(clippy::disallowed_methods, reason = "an end must not get lost, and there is one per answer")]
            self.answers.do_send(AnswerEnded(answer));
        }
    }
}
