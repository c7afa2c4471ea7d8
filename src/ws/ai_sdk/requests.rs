//! The requests of one socket that are not over.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use sophie_actors::ids::{AnswerId, SessionId};
use tokio::task::AbortHandle;

/// Requests that one socket may have at once. A page has one for each chat that it shows.
const MOST: usize = 32;

/// How a request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It asks in this chat.
    Asking(SessionId),
    /// It asks, and its client wants nothing of that any more.
    Unwanted,
    /// It has its answer.
    Asked(AnswerId),
    /// It looks whether there is something to resume, or waits for it.
    Looking,
    /// It is told somebody's answer.
    Watching {
        chat: SessionId,
        answer: AnswerId,
        /// Its client may stop it.
        may_stop: bool,
    },
}

impl Standing {
    /// The answer that is told.
    fn answer(&self) -> Option<&AnswerId> {
        match self {
            Self::Asked(answer) | Self::Watching { answer, .. } => Some(answer),
            Self::Asking(_) | Self::Unwanted | Self::Looking => None,
        }
    }
}

struct Request {
    number: u64,
    standing: Standing,
    task: Option<AbortHandle>,
}

#[derive(Default)]
struct Known {
    requests: HashMap<Rc<str>, Request>,
    begun: u64,
}

/// Those of one socket. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Requests(Rc<RefCell<Known>>);

/// Why a request does not begin.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotBegun {
    /// It is under way already.
    Known,
    /// There are as many as there may be.
    TooMany,
}

/// One of them: over when it is dropped.
pub(super) struct Open {
    requests: Requests,
    pub(super) name: Rc<str>,
    number: u64,
}

impl Requests {
    /// Begins one.
    pub(super) fn begin(&self, name: &str, standing: Standing) -> Result<Open, NotBegun> {
        let mut known = self.0.borrow_mut();
        if known.requests.contains_key(name) {
            return Err(NotBegun::Known);
        }
        if known.requests.len() >= MOST {
            return Err(NotBegun::TooMany);
        }
        known.begun += 1;
        let (name, number): (Rc<str>, _) = (name.into(), known.begun);
        known.requests.insert(name.clone(), Request { number, standing, task: None });
        Ok(Open { requests: self.clone(), name, number })
    }

    /// By what it is ended.
    pub(super) fn carried_out_by(&self, name: &str, task: AbortHandle) {
        if let Some(request) = self.0.borrow_mut().requests.get_mut(name) {
            request.task = Some(task);
        }
    }

    /// Its client wants nothing of it any more: how it stood, if it is there. What asks goes on to its end.
    pub(super) fn abort(&self, name: &str) -> Option<Standing> {
        let mut known = self.0.borrow_mut();
        let request = known.requests.get_mut(name)?;
        if matches!(request.standing, Standing::Asking(_) | Standing::Unwanted) {
            request.standing = Standing::Unwanted;
            return Some(Standing::Unwanted);
        }
        let Request { standing, task, .. } = known.requests.remove(name)?;
        task.iter().for_each(AbortHandle::abort);
        Some(standing)
    }

    /// Whether an answer is being told.
    pub(super) fn are_told(&self, answer: &AnswerId) -> bool {
        self.0.borrow().requests.values().any(|request| request.standing.answer() == Some(answer))
    }

    /// Whether something is being asked in a chat whose answer is not known yet.
    pub(super) fn are_asking(&self, chat: &SessionId) -> bool {
        let asks = |request: &Request| matches!(&request.standing, Standing::Asking(of) if of == chat);
        self.0.borrow().requests.values().any(asks)
    }

    /// Nobody is there to be told anything. What asks goes on to its end: who closes a page right behind a question has asked it.
    pub(super) fn end(&self) {
        let ended = |request: &Request| !matches!(request.standing, Standing::Asking(_) | Standing::Unwanted);
        let over = self.0.borrow_mut().requests.extract_if(|_, request| ended(request)).collect::<Vec<_>>();
        over.iter().filter_map(|(_, request)| request.task.as_ref()).for_each(AbortHandle::abort);
    }
}

impl Open {
    /// How it stands from now on. `false`: its client wants nothing of it any more.
    pub(super) fn stands(&self, standing: Standing) -> bool {
        let mut known = self.requests.0.borrow_mut();
        let request = known.requests.get_mut(&self.name).filter(|request| request.number == self.number);
        match request {
            Some(request) if request.standing != Standing::Unwanted => {
                request.standing = standing;
                true
            }
            Some(_) | None => false,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut known = self.requests.0.borrow_mut();
        if known.requests.get(&self.name).is_some_and(|request| request.number == self.number) {
            known.requests.remove(&self.name);
        }
    }
}
