//! Stores that fail, hang or panic when they are told to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytestring::ByteString;
use sophie_actors::admission::Quota;
use sophie_actors::ids::{AnswerId, GroupName, SessionId, UserId};
use sophie_actors::protocol::LogHead;
use sophie_actors::rights::Shown;
use sophie_actors::store::limits::{Bucket, Correction, Limits, Verdict};
use sophie_actors::store::memory::{self, MemoryOptions};
use sophie_actors::store::*;
use tokio::sync::Notify;

/// What a call does instead of its work.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Fails at once.
    Away,
    /// Does its work, and fails.
    ReplyLost,
    /// An append: does its work twice, as a store does whose first reply was lost; the second reply comes.
    Twice,
    /// Does its work; the reply comes when the fault is lifted.
    ReplyLate,
    /// Waits until the fault is lifted.
    Hang,
    /// Panics if what it is about contains this text.
    Panic(&'static str),
    /// Cannot do it if what it is about contains this text.
    Corrupt(&'static str),
}

/// The faults of one set of stores, by call (`append`, `renew`, …), and what was called.
#[derive(Clone, Default)]
pub struct Faults(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    lifted: Notify,
}

#[derive(Default)]
struct State {
    faults: HashMap<&'static str, Fault>,
    calls: Vec<(&'static str, String)>,
}

impl Faults {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on `call` does this.
    pub fn set(&self, call: &'static str, fault: Fault) {
        self.state().faults.insert(call, fault);
    }

    /// From now on `call` works again.
    pub fn lift(&self, call: &'static str) {
        self.state().faults.remove(call);
        self.0.lifted.notify_waiters();
    }

    /// Calls that hang look again at what they are to do.
    pub fn wake(&self) {
        self.0.lifted.notify_waiters();
    }

    /// What `call` was about, each time.
    pub fn calls(&self, call: &str) -> Vec<String> {
        self.state().calls.iter().filter(|(name, _)| *name == call).map(|(_, about)| about.clone()).collect()
    }

    /// Every call so far, in order.
    pub fn all_calls(&self) -> Vec<&'static str> {
        self.state().calls.iter().map(|(name, _)| *name).collect()
    }

    async fn on<T>(
        &self,
        call: &'static str,
        about: impl ToString,
        work: impl Future<Output = StoreResult<T>>,
    ) -> StoreResult<T> {
        let about = about.to_string();
        self.state().calls.push((call, about.clone()));
        loop {
            let lifted = self.0.lifted.notified();
            let fault = self.state().faults.get(call).cloned();
            match fault {
                Some(Fault::Away) => return Err(away()),
                Some(Fault::ReplyLost) => return work.await.and(Err(away())),
                Some(Fault::ReplyLate) => {
                    let reply = work.await;
                    lifted.await;
                    return reply;
                }
                Some(Fault::Hang) => lifted.await,
                Some(Fault::Panic(text)) if about.contains(text) => panic!("{call} was told to panic"),
                Some(Fault::Corrupt(text)) if about.contains(text) => {
                    return Err(StoreError::Corrupt("told to refuse it".into()));
                }
                Some(Fault::Panic(_) | Fault::Corrupt(_) | Fault::Twice) | None => return work.await,
            }
        }
    }
}

fn away() -> StoreError {
    StoreError::Unavailable("told to fail".into())
}

/// Memory stores with faults at will.
pub fn stores(options: MemoryOptions) -> (Stores, Faults) {
    let faults = Faults::default();
    let faulty = Arc::new(Faulty { inner: memory::stores(options), faults: faults.clone() });
    let stores = Stores {
        logs: faulty.clone(),
        groups: faulty.inner.groups.clone(),
        sessions: faulty.clone(),
        answers: faulty.clone(),
        membership: faulty.clone(),
        cache: faulty.clone(),
        general: faulty.inner.general.clone(),
        presence: faulty.inner.presence.clone(),
        worker_queue: faulty.inner.worker_queue.clone(),
        leases: faulty.inner.leases.clone(),
        flights: faulty.inner.flights.clone(),
        recordings: faulty.clone(),
        claims: faulty.inner.claims.clone(),
        usage: faulty.inner.usage.clone(),
        desk: faulty.clone(),
        feedback: faulty.clone(),
        acts: faulty.inner.acts.clone(),
        feed: faulty.inner.feed.clone(),
        orders: faulty.inner.orders.clone(),
        slots: faulty.clone(),
        limits: faulty,
    };
    (stores, faults)
}

struct Faulty {
    inner: Stores,
    faults: Faults,
}

fn names(groups: &[GroupName]) -> String {
    groups.iter().map(GroupName::as_str).collect::<Vec<_>>().join(" ")
}

#[async_trait]
impl Logs for Faulty {
    async fn append(&self, append: Append) -> StoreResult<Appended> {
        let about = append.body.to_string();
        let twice = matches!(self.faults.state().faults.get("append"), Some(Fault::Twice));
        let work = async {
            if twice {
                self.inner.logs.append(append.clone()).await?;
            }
            self.inner.logs.append(append).await
        };
        self.faults.on("append", about, work).await
    }
    async fn recall(&self, once: &Once) -> StoreResult<Option<Appended>> {
        self.faults.on("recall", &once.id, self.inner.logs.recall(once)).await
    }
    async fn open(&self, groups: &[GroupName]) -> StoreResult<Vec<LogState>> {
        self.faults.on("open", names(groups), self.inner.logs.open(groups)).await
    }
    async fn confirm(&self, group: &GroupName, head: &LogHead) -> StoreResult<LogState> {
        self.faults.on("confirm", group, self.inner.logs.confirm(group, head)).await
    }
    async fn read_after(&self, group: &GroupName, after: u64, size: PageSize) -> StoreResult<Page> {
        self.faults.on("read_after", group, self.inner.logs.read_after(group, after, size)).await
    }
    async fn read_before(&self, group: &GroupName, before: Option<u64>, size: PageSize) -> StoreResult<Page> {
        self.faults.on("read_before", group, self.inner.logs.read_before(group, before, size)).await
    }
}

#[async_trait]
impl SessionRecords for Faulty {
    async fn claim(&self, session: &SessionId, user: &UserId) -> StoreResult<UserId> {
        self.faults.on("claim", session, self.inner.sessions.claim(session, user)).await
    }
    async fn load(&self, session: &SessionId) -> StoreResult<SessionRecord> {
        self.faults.on("load", session, self.inner.sessions.load(session)).await
    }
    async fn grant(&self, session: &SessionId, shown: &Shown) -> StoreResult<SessionRecord> {
        self.faults.on("grant", session, self.inner.sessions.grant(session, shown)).await
    }
    async fn add_group(&self, session: &SessionId, group: &GroupName) -> StoreResult<()> {
        self.faults.on("add_group", group, self.inner.sessions.add_group(session, group)).await
    }
    async fn remove_group(&self, session: &SessionId, group: &GroupName) -> StoreResult<()> {
        self.faults.on("remove_group", group, self.inner.sessions.remove_group(session, group)).await
    }
}

#[async_trait]
impl AnswerRecords for Faulty {
    async fn take_up(
        &self,
        record: &AnswerRecord,
        once: Option<&Once>,
        wanted: Option<&Wanted>,
    ) -> StoreResult<TakenUp> {
        self.faults.on("begin", &record.answer, self.inner.answers.take_up(record, once, wanted)).await
    }
    async fn start(&self, record: &AnswerRecord) -> StoreResult<()> {
        self.faults.on("start", &record.answer, self.inner.answers.start(record)).await
    }
    async fn running(&self, groups: &[GroupName]) -> StoreResult<Vec<AnswerRecord>> {
        self.faults.on("running", names(groups), self.inner.answers.running(groups)).await
    }
    async fn find(&self, answer: &AnswerId) -> StoreResult<Option<AnswerRecord>> {
        self.faults.on("find", answer, self.inner.answers.find(answer)).await
    }
    async fn owe(&self, record: &AnswerRecord) -> StoreResult<bool> {
        self.faults.on("owe", &record.answer, self.inner.answers.owe(record)).await
    }
    async fn renew(&self, answer: &AnswerId, more: &str) -> StoreResult<Renewed> {
        self.faults.on("renew", answer, self.inner.answers.renew(answer, more)).await
    }
    async fn think(&self, answer: &AnswerId, more: &str) -> StoreResult<Renewed> {
        self.faults.on("think", answer, self.inner.answers.think(answer, more)).await
    }
    async fn end(&self, answer: &AnswerId, group: &GroupName, body: ByteString) -> StoreResult<Ended> {
        self.faults.on("end", answer, self.inner.answers.end(answer, group, body)).await
    }
    async fn orphan(&self) -> StoreResult<Option<AnswerRecord>> {
        self.faults.on("orphan", "", self.inner.answers.orphan()).await
    }
}

#[async_trait]
impl Desk for Faulty {
    async fn ask(&self, group: &GroupName, asker: &Asker, id: Option<&str>) -> StoreResult<Asked> {
        self.faults.on("ask", group, self.inner.desk.ask(group, asker, id)).await
    }
    async fn settle(&self, group: &GroupName, act: Act) -> StoreResult<Option<Change>> {
        self.faults.on("settle", group, self.inner.desk.settle(group, act)).await
    }
    async fn attendance(&self, groups: &[GroupName]) -> StoreResult<Vec<Attendance>> {
        self.faults.on("attendance", names(groups), self.inner.desk.attendance(groups)).await
    }
    async fn waiting(&self, prefix: &str, after: Option<(u64, &str)>, limit: usize) -> StoreResult<Vec<Waiting>> {
        self.faults.on("waiting", prefix, self.inner.desk.waiting(prefix, after, limit)).await
    }
    async fn newest(&self) -> StoreResult<Option<Waiting>> {
        self.inner.desk.newest().await
    }
    async fn waits(&self, group: &GroupName) -> StoreResult<Option<Waiting>> {
        self.faults.on("waits", group, self.inner.desk.waits(group)).await
    }
    async fn count(&self) -> StoreResult<usize> {
        self.inner.desk.count().await
    }
}

#[async_trait]
impl FeedbackRecords for Faulty {
    async fn add(&self, feedback: &Feedback, id: Option<&str>) -> StoreResult<Rated> {
        self.faults.on("feedback", &feedback.session, self.inner.feedback.add(feedback, id)).await
    }
    async fn of_session(&self, session: &SessionId) -> StoreResult<Vec<Feedback>> {
        self.inner.feedback.of_session(session).await
    }
    async fn newest(&self, before: Option<&str>, limit: usize) -> StoreResult<Vec<(String, Feedback)>> {
        self.inner.feedback.newest(before, limit).await
    }
}

#[async_trait]
impl Membership for Faulty {
    async fn join(&self, groups: &[GroupName]) -> StoreResult<()> {
        self.faults.on("join", names(groups), self.inner.membership.join(groups)).await
    }
    async fn leave(&self, groups: &[GroupName]) -> StoreResult<()> {
        self.faults.on("leave", names(groups), self.inner.membership.leave(groups)).await
    }
    async fn heartbeat(&self, info: &NodeInfo) -> StoreResult<Beat> {
        self.faults.on("heartbeat", "", self.inner.membership.heartbeat(info)).await
    }
    async fn left_by(&self, dead: &str) -> StoreResult<Vec<GroupName>> {
        self.inner.membership.left_by(dead).await
    }
    async fn cleared(&self, dead: &str, groups: &[GroupName]) -> StoreResult<()> {
        self.inner.membership.cleared(dead, groups).await
    }
    async fn bury(&self, dead: &str) -> StoreResult<()> {
        self.inner.membership.bury(dead).await
    }
    async fn resign(&self) -> StoreResult<()> {
        self.faults.on("resign", "", self.inner.membership.resign()).await
    }
    async fn returned(&self) {
        self.inner.membership.returned().await;
    }
}

#[async_trait]
impl AnswerCache for Faulty {
    async fn get(&self, digest: &str) -> StoreResult<Option<CachedAnswer>> {
        self.faults.on("get", digest, self.inner.cache.get(digest)).await
    }
    async fn put(&self, digest: &str, entry: &CachedAnswer, ttl: Option<u64>) -> StoreResult<()> {
        self.faults.on("put", &entry.text, self.inner.cache.put(digest, entry, ttl)).await
    }

    async fn held(&self) -> StoreResult<CacheSize> {
        self.inner.cache.held().await
    }

    async fn purge(&self, model: Option<&str>) -> StoreResult<u64> {
        self.inner.cache.purge(model).await
    }
}

#[async_trait]
impl Limits for Faulty {
    async fn admit(&self, slot: Option<&SlotRequest>, buckets: &[Bucket]) -> StoreResult<Verdict> {
        let keys: Vec<_> = buckets.iter().map(|bucket| bucket.key.as_str()).collect();
        self.faults.on("admit", keys.join(" "), self.inner.limits.admit(slot, buckets)).await
    }
    async fn settle(&self, corrections: &[Correction<'_>]) -> StoreResult<()> {
        let about: Vec<_> = corrections.iter().map(|it| format!("{} {}", it.bucket.key, it.units)).collect();
        self.faults.on("settle", about.join(", "), self.inner.limits.settle(corrections)).await
    }
    async fn look(&self, buckets: &[Bucket]) -> StoreResult<Vec<Quota>> {
        self.faults.on("look", "", self.inner.limits.look(buckets)).await
    }
    async fn fill(&self, buckets: &[Bucket]) -> StoreResult<()> {
        self.faults.on("fill", "", self.inner.limits.fill(buckets)).await
    }
}

#[async_trait]
impl SlotLeases for Faulty {
    async fn renew(&self, held: &[Held]) -> StoreResult<()> {
        self.faults.on("renew_slots", held.len(), self.inner.slots.renew(held)).await
    }
    async fn release(&self, held: &[Held]) -> StoreResult<()> {
        self.faults.on("release", held.len(), self.inner.slots.release(held)).await
    }
    async fn taken(&self, room: &str) -> StoreResult<usize> {
        self.faults.on("taken", room, self.inner.slots.taken(room)).await
    }
}

#[async_trait]
impl Recordings for Faulty {
    async fn begin(&self, answer: &AnswerId, head: &RecordingHead, about: &str) -> StoreResult<bool> {
        self.faults.on("recording_begin", answer, self.inner.recordings.begin(answer, head, about)).await
    }

    async fn add(&self, answer: &AnswerId, added: usize, windows: &[Window]) -> StoreResult<RecordingStanding> {
        self.faults.on("recording_add", answer, self.inner.recordings.add(answer, added, windows)).await
    }

    async fn end(&self, answer: &AnswerId, windows: Option<usize>, end: &str) -> StoreResult<RecordingEnded> {
        self.faults.on("recording_end", answer, self.inner.recordings.end(answer, windows, end)).await
    }

    async fn read(&self, answer: &AnswerId, seen: usize) -> StoreResult<Option<(Vec<Window>, RecordingState)>> {
        self.faults.on("recording_read", answer, self.inner.recordings.read(answer, seen)).await
    }

    async fn head(&self, answer: &AnswerId) -> StoreResult<Option<(RecordingHead, ByteString)>> {
        self.faults.on("recording_head", answer, self.inner.recordings.head(answer)).await
    }

    async fn forget(&self, answer: &AnswerId) -> StoreResult<bool> {
        self.faults.on("recording_forget", answer, self.inner.recordings.forget(answer)).await
    }
}
