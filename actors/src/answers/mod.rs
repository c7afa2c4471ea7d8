//! The answers.
//!
//! Owns: the generations under way (one for equal questions), the answers that groups follow, the response cache. The
//! only caller of the AI backend. Receives: questions from sessions, cancellations. Sends: an answer's progress and its
//! end to the registry, what it cost to the limiter. Ends when: never; its end ends the process, and answers under way
//! end as `interrupted` once their leases have run out.

mod asked_with;
mod conversation;
mod digest;
mod ended;
mod ending;
mod flying;
mod generate;
mod generation;
mod group_answer;
mod handle;
mod heard;
mod line;
pub(crate) mod lost;
mod messages;
mod orphans;
mod recording;
mod recordings;
mod stopping;
mod under_way;

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::prelude::*;
use serde_json::Value;
use tokio::sync::watch;

use crate::actor::ExitGuard;
use crate::admission::{Admitted, LimiterHandle, NotAdmitted};
use crate::backend::Backend;
use crate::delivery::Delivery;
use crate::ids::{AnswerId, GroupName, RequestId};
use crate::in_force::InForce;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::options::{AnswerOptions, CacheOptions, RecordingOptions};
use crate::registry::Roster;
use crate::store::Stores;
pub use asked_with::AskedWith;
pub use digest::{Scope, digest, digest_for};
use ended::EndedOnDrop;
use generation::Generation;
pub use generation::{End, Follower, GenerationOrigin, Next};
pub(crate) use group_answer::CONVERSATION;
pub use handle::AnswersHandle;
pub use line::AnswerLine;
pub use messages::{AdmitAndJoin, Ask, Join, Joined, Record, Reuse};
use messages::{
    AdmitAndJoinFor, AnswerEnded, Cancel, CountRunning, Generated, InterruptAll, JoinFor, ListModels, StopHere,
    TakeOver,
};
pub use recording::{Recorded, Recorder, RecordingReader, Unwanted};
use recordings::Recordings;
pub use stopping::Stopped;
use stopping::Stopping;
use under_way::ListUnderWay;
pub use under_way::UnderWay;

/// Questions that may wait.
const MAILBOX: usize = 16_384;
/// How often leases that ran out are looked for.
const LOOK_FOR_ORPHANS: Duration = Duration::from_secs(1);
/// How often what answers cost is written into the store.
const WRITE_LEDGER: Duration = Duration::from_secs(1);

struct Running {
    group: GroupName,
    /// Gone once the answer is past stopping and only its end remains to be logged.
    stopping: Weak<Stopping>,
}

impl Running {
    /// Whether it could still be stopped.
    fn stop(&self, why: Stopped) -> bool {
        let stopping = self.stopping.upgrade();
        stopping.inspect(|stopping| stopping.tell(why)).is_some()
    }
}

/// What answers are made with.
pub struct Parts {
    /// Who is in which group.
    pub roster: Arc<Roster>,
    /// Logs, leases, cache.
    pub stores: Stores,
    /// The writer.
    pub backend: InForce<Arc<dyn Backend>>,
    /// Gets every answer's progress, and its end once that is logged.
    pub delivery: Delivery,
    /// Settles what answers cost.
    pub limiter: LimiterHandle,
    /// `[ai]`
    pub options: InForce<AnswerOptions>,
    /// `[cache]`
    pub cache: CacheOptions,
    /// `[answers]`
    pub recordings: RecordingOptions,
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
    recordings: Recordings,
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
            recordings: Recordings::default(),
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

impl Handler<TakeOver> for Answers {
    type Result = ();

    fn handle(&mut self, TakeOver { ask, admitted, request }: TakeOver, ctx: &mut Context<Self>) {
        let answer = ask.answer.clone();
        if self.running.contains_key(&answer) {
            // The same message, sent twice at once: one of them is answered, and this one's reservation given back.
            return;
        }
        let stopping = Arc::new(Stopping::default());
        self.running.insert(answer.clone(), Running { group: ask.group.clone(), stopping: Arc::downgrade(&stopping) });
        self.parts.metrics.answers_running.set(self.running.len() as i64);
        let span = request.as_ref().map(|id| id.stands_in().begin("answer")).unwrap_or_default();
        let request = request.map(|id| id.under(&span));
        let ended = EndedOnDrop::new(ctx.address().into(), answer.clone(), span);
        // A task of its own: a fault in one answer must not take the others along.
        let answered = group_answer::run(
            self.parts.clone(),
            ctx.address().into(),
            (ask, admitted),
            stopping,
            self.closing.subscribe(),
            ended,
        );
        actix::spawn(RequestId::within(request, answered));
    }
}

impl Handler<Cancel> for Answers {
    type Result = bool;

    fn handle(&mut self, Cancel { answer, by }: Cancel, _: &mut Context<Self>) -> bool {
        let running = self.running.get(&answer);
        running.is_some_and(|it| self.parts.roster.is_member(&by, &it.group) && it.stop(Stopped::Cancelled))
    }
}

impl Handler<StopHere> for Answers {
    type Result = bool;

    fn handle(&mut self, StopHere { answer, why }: StopHere, _: &mut Context<Self>) -> bool {
        self.running.get(&answer).is_some_and(|it| it.stop(why)) || self.recordings.cancel(&answer)
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
        let backend = self.parts.backend.get();
        Box::pin(async move { backend.models().await })
    }
}

impl Answers {
    fn join(&mut self, JoinFor(request, join): JoinFor, ctx: &mut Context<Self>) -> Joined {
        let reuse = join.reuse;
        let under_way = match reuse.read {
            true => self.generations.get(&join.digest).filter(|it| it.suits(reuse)).and_then(Generation::follow),
            false => None,
        };
        let asker = request.as_ref().map(|id| id.stands_in().clone()).unwrap_or_default();
        if let Some(follower) = under_way {
            follower.wants(reuse, join.asker);
            follower.link(&asker);
            return Joined { follower, coalesced: true };
        }
        let generation = Arc::new(Generation::within(asker.begin("generation")));
        let request = request.map(|id| id.under(generation.span()));
        let follower = generation.follow().expect("a fresh generation is not abandoned");
        follower.wants(reuse, join.asker.clone());
        if reuse.read {
            self.generations.insert(join.digest.clone(), generation.clone());
        }
        let generated = generate::run(self.parts.clone(), ctx.address().into(), generation, join);
        actix::spawn(RequestId::within(request, generated));
        Joined { follower, coalesced: false }
    }
}

impl Handler<JoinFor> for Answers {
    type Result = Joined;

    fn handle(&mut self, join: JoinFor, ctx: &mut Context<Self>) -> Joined {
        self.join(join, ctx)
    }
}

impl Handler<AdmitAndJoinFor> for Answers {
    type Result = ResponseActFuture<Self, Result<(Admitted, Joined), NotAdmitted>>;

    fn handle(&mut self, message: AdmitAndJoinFor, _: &mut Context<Self>) -> Self::Result {
        let AdmitAndJoinFor(request, AdmitAndJoin { admit, join }) = message;
        let join = JoinFor(request, join);
        let limiter = self.parts.limiter.clone();
        let admitted = RequestId::within(join.0.clone(), async move { limiter.admit(admit).await }).into_actor(self);
        Box::pin(admitted.map(|admitted, answers, ctx| Ok((admitted?, answers.join(join, ctx)))))
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
