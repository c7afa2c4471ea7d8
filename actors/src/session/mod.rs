//! A chat session on this node.
//!
//! Owns: its attached sockets with their rights, and the order of their commands. Its conversation is its home group's
//! log, so a session that is rebuilt has lost nothing. Receives: sockets that come and go, commands. Sends: memberships
//! to the registry, questions to the answers, replies to sockets. Ends when: nobody is attached and no answer is under
//! way for `session.idle_seconds`; after a panic the registry rebuilds it.

mod commands;
mod due;
mod loading;
mod replay;
mod typing;

use std::collections::VecDeque;
use std::sync::Arc;

use actix::prelude::*;
use tokio::sync::Mutex;

use crate::actor::{ExitGuard, Unanswered};
use crate::ids::{RequestId, SessionId, SocketId};
use crate::node::Node;
use crate::protocol::{CloseCode, CommandBody, Event, Refusal};
use crate::registry::{Attach, Seed, SessionEnded};
use crate::repeated::{Line, Repeated};
use crate::small_map::SmallMap;
use crate::socket::{
    Access, AttachSocket, Attached, AwaitLoaded, Commanded, Replay, Reply, SessionHandle, SocketClosed,
};
use due::Due;
use loading::{load, lost_meanwhile};
use typing::Typing;

/// Messages that may wait for a session.
const MAILBOX: usize = 1_024;

/// Every tab of every client comes again while the store is away.
static NOT_OPENED: Repeated = Repeated::of(module_path!(), log::Level::Warn);

struct Socket {
    attached: Attached,
    /// A command is being carried out (or the socket is being attached): the next ones wait their turn.
    busy: bool,
    waiting: VecDeque<(Result<CommandBody, Refusal>, Reply)>,
}

/// What a command changes in the session once it has been carried out.
enum Effect {
    None,
    Rights(Arc<dyn Access>),
    Replay(Replay),
}

/// The actor.
pub struct Session {
    id: SessionId,
    node: Arc<Node>,
    sockets: SmallMap<SocketId, Socket>,
    /// Until it has begun.
    seed: Option<Box<Seed>>,
    typing: Typing,
    /// From the first command on.
    sending: Option<Arc<Mutex<()>>>,
    due: Due,
    _exit: ExitGuard,
}

impl Session {
    /// A session that begins with `seed`.
    pub fn new(seed: Seed, node: Arc<Node>) -> Self {
        let (session, life, ended_at) = (seed.session.clone(), seed.life, node.clone());
        let exit = ExitGuard::new(move |exit| {
            ended_at.registry.session_ended(SessionEnded { session, life, exit });
        });
        Self {
            id: seed.session.clone(),
            node,
            sockets: SmallMap::default(),
            seed: Some(Box::new(seed)),
            typing: Typing::default(),
            sending: None,
            due: Due::new(),
            _exit: exit,
        }
    }

    fn carry_out_next(&mut self, id: SocketId, ctx: &mut Context<Self>) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        let (command, reply) = loop {
            match socket.waiting.pop_front() {
                Some((Ok(command), reply)) => break (command, reply),
                Some((Err(refusal), reply)) => reply.refuse(&refusal),
                None => {
                    socket.busy = false;
                    return;
                }
            }
        };
        socket.busy = true;
        let work = commands::Work {
            node: self.node.clone(),
            session: self.id.clone(),
            socket: socket.attached.clone(),
            sending: self.sending.get_or_insert_default().clone(),
        };
        let may_type = self.typing.gate(&command, &self.id);
        let request = work.socket.handle.request();
        let carried_out = RequestId::within(request, work.carry_out(command, reply, may_type));
        ctx.spawn(carried_out.into_actor(self).map(move |effect, session, ctx| {
            session.apply(id, effect, ctx);
            session.carry_out_next(id, ctx);
        }));
    }

    fn closed(&mut self, socket: SocketId, ctx: &mut Context<Self>) {
        self.sockets.remove(&socket);
        self.due.touched();
        self.look_in_time(ctx);
        let (registry, session) = (self.node.registry.clone(), self.id.clone());
        ctx.spawn(async move { _ = registry.detach(session, socket).await }.into_actor(self));
    }

    fn apply(&mut self, id: SocketId, effect: Effect, ctx: &mut Context<Self>) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        match effect {
            Effect::None => {}
            Effect::Rights(access) => {
                socket.attached.access = access;
                self.look_in_time(ctx);
            }
            // Outlives this actor: a restart of the session must not leave a hole.
            Effect::Replay(missed) => {
                actix::spawn(replay::run(self.node.stores.clone(), socket.attached.handle.clone(), missed));
            }
        }
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
        let Some(seed) = self.seed.take() else { return };
        let own = SessionHandle::of(&ctx.address());
        for attached in seed.sockets {
            let (id, handle) = (attached.handle.id(), attached.handle.clone());
            handle.bind(own.clone());
            self.sockets.insert(id, Socket { attached, busy: false, waiting: VecDeque::new() });
            if handle.is_gone() {
                // That was told to the actor that failed.
                self.closed(id, ctx);
            }
        }
        self.look_in_time(ctx);
        if seed.groups.is_none() {
            let load = load(self.node.clone(), self.id.clone());
            // Nothing else is handled before the session knows its groups.
            ctx.wait(load.into_actor(self).map(|loaded, session, ctx| {
                if let Err(error) = loaded {
                    NOT_OPENED.log("store", || {
                        let line = Line::of("session_not_opened", "session not opened, the store is away");
                        line.with("session", &session.id).with("error", &error)
                    });
                    ctx.stop();
                }
            }));
        }
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        if std::thread::panicking() {
            // actix calls this after a panic too: then the registry decides what becomes of the sockets.
            return;
        }
        // Nobody is left in a session without an actor: a socket that came in the last moment reconnects.
        self.sockets.values().for_each(|socket| socket.attached.handle.close(CloseCode::Restarted));
    }
}

impl Handler<AwaitLoaded> for Session {
    type Result = ();

    fn handle(&mut self, _: AwaitLoaded, _: &mut Context<Self>) {
        self.due.touched();
    }
}

impl Handler<AttachSocket> for Session {
    type Result = ();

    fn handle(&mut self, AttachSocket { socket, resume, promise }: AttachSocket, ctx: &mut Context<Self>) {
        let id = socket.handle.id();
        self.sockets.insert(id, Socket { attached: socket.clone(), busy: true, waiting: VecDeque::new() });
        self.look_in_time(ctx);
        let (node, session) = (self.node.clone(), self.id.clone());
        let request = socket.handle.request();
        let attach = RequestId::within(request, async move {
            let state = match resume {
                // Only needed to tell whether what was missed is still there.
                Some(_) => {
                    node.stores.logs.open(&[session.home()]).await.ok().and_then(|states| states.into_iter().next())
                }
                None => None,
            };
            let (handle, comes_back) = (socket.handle.clone(), resume.is_some());
            let Ok(lost) = lost_meanwhile(&node, &session, &socket).await else {
                handle.close(CloseCode::Overloaded);
                return Effect::None;
            };
            let access = socket.access.clone();
            match node.registry.attach(Attach { session: session.clone(), socket, resume, state }).await {
                Ok(replay) => {
                    promise.kept();
                    for group in access.lost().iter().chain(&lost) {
                        handle.push(Event::Left { group, session: &session, user: access.user() }.encode());
                    }
                    if comes_back {
                        // Outlives this actor, as every replay does.
                        actix::spawn(replay::release_withheld(node.stores.clone(), handle));
                    }
                    replay.map_or(Effect::None, Effect::Replay)
                }
                Err(Unanswered) => {
                    handle.close(CloseCode::Overloaded);
                    Effect::None
                }
            }
        });
        ctx.spawn(attach.into_actor(self).map(move |effect, session, ctx| {
            session.apply(id, effect, ctx);
            session.carry_out_next(id, ctx);
        }));
    }
}

impl Handler<SocketClosed> for Session {
    type Result = ();

    fn handle(&mut self, SocketClosed(socket): SocketClosed, ctx: &mut Context<Self>) {
        self.closed(socket, ctx);
    }
}

impl Handler<Commanded> for Session {
    type Result = ();

    fn handle(&mut self, Commanded { socket: id, command, reply }: Commanded, ctx: &mut Context<Self>) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        if socket.waiting.len() >= self.node.options.commands_burst as usize {
            // The client kept to its pace, which the socket watches: it is the store that is slow.
            socket.attached.handle.close(CloseCode::Overloaded);
            return;
        }
        socket.waiting.push_back((command, reply));
        if !socket.busy {
            self.carry_out_next(id, ctx);
        }
    }
}
