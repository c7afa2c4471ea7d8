//! Frames for a group or a session that no log holds.

use actix::prelude::*;

use super::GroupRegistry;
use super::messages::{CloseGroup, Fanout, SendTo};

impl Handler<Fanout> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, Fanout { group, frame, except }: Fanout, _: &mut Context<Self>) {
        self.roster.for_each_socket(&group, except.as_ref(), |socket| _ = socket.push(frame.clone()));
    }
}

impl Handler<SendTo> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, SendTo { session, frame }: SendTo, _: &mut Context<Self>) {
        self.roster.sockets(&session).iter().for_each(|socket| _ = socket.handle.push(frame.clone()));
    }
}

impl Handler<CloseGroup> for GroupRegistry {
    type Result = ();

    fn handle(&mut self, CloseGroup { group, close }: CloseGroup, _: &mut Context<Self>) {
        self.roster.for_each_socket(&group, None, |socket| socket.close(close));
    }
}
