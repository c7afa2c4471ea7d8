//! What the client of one socket asks for, and how it is carried out: each request by a task of its own.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{ResponseError, rt};
use sophie_actors::answers::RecordingReader;
use sophie_actors::cluster;
use sophie_actors::dialects::ui::request::UiRequest;
use sophie_actors::ids::{AnswerId, RequestId, SessionId};
use sophie_actors::protocol::CloseCode;
use sophie_actors::socket::Taken;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::frame::{Asks, Sent, Told};
use super::requests::{NotBegun, Open, Requests, Standing};
use super::telling::tell;
use crate::http::chat::{self, Beginning, ChatRefusal, Guest, enter_session};
use crate::http::visitor::Shown;
use crate::ws::dialect::{Dialect, Socket};

/// For how long a stop by somebody who looks on is held. The client says so of its first resume a moment before it resumes a second time,
/// as pages do when they are looked at again: then nothing is to be stopped.
const HAND_OVER: Duration = Duration::from_millis(250);
/// How soon it is looked again for what has begun: it is noted a moment after the word of it. Then less and less often.
const SOON: Duration = Duration::from_millis(20);
/// How long at most somebody waits without a look: word of a beginning may be lost with a connection.
const LOOK: Duration = Duration::from_secs(15);

/// One socket's. Clones are the same.
#[derive(Clone)]
pub(super) struct Chats(Rc<Client>);

struct Client {
    socket: Rc<Socket>,
    shown: Shown,
    /// Its resumes wait until there is something.
    waits: bool,
    requests: Requests,
    /// Stops that may yet turn out to be hand-overs.
    stops: RefCell<Vec<(SessionId, AbortHandle)>>,
    /// The last answer of each chat that was told to its end, of the few that were told last.
    told: RefCell<Vec<(SessionId, AnswerId)>>,
}

/// Chats of which it is remembered what was told last.
const REMEMBERED: usize = 32;

impl Dialect for Chats {
    fn frame(&mut self, text: &str, taken: Taken) {
        let Some(Sent { request, asks }) = Sent::read(text) else {
            return self.0.socket.close(CloseCode::NotUnderstood);
        };
        match asks {
            Ok(Asks::Abort) => self.abort(&request),
            Ok(Asks::Send(asked)) => {
                let asking = Standing::Asking(asked.chat.clone());
                self.begin(&request, asking, |open| self.clone().send(open, *asked, taken))
            }
            Ok(Asks::Resume { chat, first }) => {
                self.is_handed_over(&chat);
                self.begin(&request, Standing::Looking, |open| self.clone().resume(open, chat, first, taken));
            }
            Err(bad) => self.refuse(&request, &bad.into()),
        }
    }

    fn closed(&mut self) {
        self.0.requests.end();
    }
}

impl Chats {
    pub(super) fn new(socket: Rc<Socket>, shown: Shown, waits: bool) -> Self {
        let (requests, stops, told) = (Requests::default(), RefCell::default(), RefCell::default());
        Self(Rc::new(Client { socket, shown, waits, requests, stops, told }))
    }

    fn begin<F: Future<Output = ()> + 'static>(&self, name: &str, standing: Standing, task: impl FnOnce(Open) -> F) {
        match self.0.requests.begin(name, standing) {
            Ok(open) => {
                let carried_out = rt::spawn(RequestId::carried(RequestId::spanned("chat.request", task(open))));
                self.0.requests.carried_out_by(name, carried_out.abort_handle());
            }
            // Its client repeats what is being done.
            Err(NotBegun::Known) => {}
            Err(NotBegun::TooMany) => {
                self.refuse(name, &ChatRefusal::conflict("too much is asked for on this connection at once"));
            }
        }
    }

    fn refuse(&self, request: &str, refusal: &ChatRefusal) {
        self.0.socket.say(&Told::Error { request_id: request, error_text: refusal.sentence() });
        if refusal.status_code() == StatusCode::UNAUTHORIZED {
            self.0.socket.close(CloseCode::BadToken);
        }
    }

    /// A question, or whatever else brings an answer about.
    async fn send(self, open: Open, asked: UiRequest, taken: Taken) {
        let Client { socket, shown, .. } = &*self.0;
        let _answering = socket.answering();
        let asking = async {
            let guest = enter_session(shown, asked.chat.clone(), &socket.state).await?;
            socket.becomes_known();
            let (answer, reader) = chat::answer(&guest, asked, &socket.state).await?;
            Ok::<_, ChatRefusal>((guest, answer, reader))
        };
        let asked = asking.await;
        drop(taken);
        match asked {
            Ok((_, answer, _)) if !open.stands(Standing::Asked(answer.clone())) => self.stop(&answer).await,
            Ok((guest, answer, reader)) => self.tell(&open, &guest, (&answer, Beginning::OfStep), reader, 0).await,
            Err(refusal) => self.refuse(&open.name, &refusal),
        }
    }

    /// Somebody who looks on, or comes back.
    async fn resume(self, open: Open, chat: SessionId, first: u64, taken: Taken) {
        drop(taken);
        let socket = &self.0.socket;
        let looking = async {
            let guest = enter_session(&self.0.shown, chat.clone(), &socket.state).await?;
            socket.becomes_known();
            let found = tokio::select! {
                found = self.find(&guest) => found?,
                () = socket.expire(guest.identity.expires_at) => None,
            };
            Ok::<_, ChatRefusal>((guest, found))
        };
        let (guest, answer, reader) = match looking.await {
            Ok((guest, Some((answer, reader)))) => (guest, answer, reader),
            Ok((_, None)) => return socket.say(&Told::NoActive { request_id: &open.name }),
            Err(refusal) => return self.refuse(&open.name, &refusal),
        };
        let may_stop = socket.state.chat.anyone_may_stop || self.is_own(&guest, &answer).await;
        let _answering = socket.answering();
        if open.stands(Standing::Watching { chat, answer: answer.clone(), may_stop })
            && socket.say_in_turn(&Told::Start { request_id: &open.name }).await
        {
            self.tell(&open, &guest, (&answer, Beginning::OfMessage), reader, first).await;
        }
    }

    /// Whether an answer was asked for by this guest.
    async fn is_own(&self, guest: &Guest, answer: &AnswerId) -> bool {
        let asker = chat::asker(&self.0.socket.state, answer).await;
        asker.is_ok_and(|asker| asker.is_some_and(|asker| asker == guest.identity.user.to_string()))
    }

    /// The answer that is being written, or has just ended; the next one for those who wait.
    async fn find(&self, guest: &Guest) -> Result<Option<(AnswerId, RecordingReader)>, ChatRefusal> {
        let Client { socket, waits, .. } = &*self.0;
        let (state, home) = (&socket.state, guest.session.home());
        let watch = state.node.roster.watch(&home);
        let mut pause = SOON;
        loop {
            let begun = watch.begun();
            let found = chat::recent(state, &home).await?;
            if !waits {
                return Ok(found);
            }
            match found.filter(|(answer, _)| !self.knows(&guest.session, answer)) {
                // It may be the answer to what is being asked here.
                Some(_) if self.0.requests.are_asking(&guest.session) => pause = SOON,
                Some(found) => return Ok(Some(found)),
                None => {}
            }
            pause = if timeout(pause, begun).await.is_ok() { SOON } else { (2 * pause).min(LOOK) };
        }
    }

    /// Whether this client has an answer already, or is getting it.
    fn knows(&self, chat: &SessionId, answer: &AnswerId) -> bool {
        let told = self.0.told.borrow();
        self.0.requests.are_told(answer) || told.iter().any(|(of, told)| of == chat && told == answer)
    }

    async fn tell(
        &self,
        open: &Open,
        guest: &Guest,
        (answer, from): (&AnswerId, Beginning),
        reader: RecordingReader,
        first: u64,
    ) {
        let socket = &self.0.socket;
        let begun = match chat::begin(&socket.state, &guest.session.home(), answer, &reader, from).await {
            Ok(begun) => begun,
            Err(error) => return self.refuse(&open.name, &error.into()),
        };
        let is_told = tokio::select! {
            is_told = tell(socket, &open.name, begun, reader, first) => is_told,
            () = socket.expire(guest.identity.expires_at) => false,
        };
        if is_told {
            let mut told = self.0.told.borrow_mut();
            told.retain(|(chat, _)| *chat != guest.session);
            if told.len() >= REMEMBERED {
                told.remove(0);
            }
            told.push((guest.session.clone(), answer.clone()));
        }
    }

    fn abort(&self, request: &str) {
        match self.0.requests.abort(request) {
            Some(Standing::Asked(answer)) => {
                let chats = self.clone();
                rt::spawn(RequestId::carried(async move { chats.stop(&answer).await }));
            }
            Some(Standing::Watching { chat, answer, may_stop: true }) => {
                let chats = self.clone();
                let stop = rt::spawn(RequestId::carried(async move {
                    sleep(HAND_OVER).await;
                    chats.0.stops.borrow_mut().retain(|(_, stop)| !stop.is_finished());
                    chats.stop(&answer).await;
                }));
                self.0.stops.borrow_mut().push((chat, stop.abort_handle()));
            }
            _ => {}
        }
    }

    /// The client resumes what it has just let go of.
    fn is_handed_over(&self, chat: &SessionId) {
        self.0.stops.borrow_mut().retain(|(of, stop)| {
            if of == chat {
                stop.abort();
            }
            of != chat && !stop.is_finished()
        });
    }

    async fn stop(&self, answer: &AnswerId) {
        if let Err(error) = cluster::stop(&self.0.socket.state.node, answer).await {
            log::warn!(event = "answer_not_stopped", answer:%, error:%; "an answer could not be stopped");
        }
    }
}
