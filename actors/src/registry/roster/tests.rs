//! The list of a group's sockets beside what it is a summary of: memberships and sockets, by name.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use async_trait::async_trait;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::protocol::Refusal;
use crate::socket::{OutboxLimits, SocketHandle};

#[derive(Debug)]
struct Guest(UserId);

#[async_trait]
impl Access for Guest {
    fn user(&self) -> &UserId {
        &self.0
    }

    fn may_join(&self, _: &GroupName) -> bool {
        true
    }

    fn expires_in(&self) -> Option<Duration> {
        None
    }

    async fn refresh(&self, _: &str) -> Result<Arc<dyn Access>, Refusal> {
        unreachable!("nobody shows a token")
    }
}

fn socket(user: &UserId) -> Attached {
    let limits = OutboxLimits { bytes: 1, frames: 1, age: Duration::from_secs(1) };
    Attached {
        handle: SocketHandle::new(limits, None, || {}),
        access: Arc::new(Guest(user.clone())),
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        since_ms: 0,
    }
}

/// The sockets that are told what a group is told.
fn told(roster: &Roster, group: &GroupName, except: Option<&SessionId>) -> Vec<SocketId> {
    let mut told = Vec::new();
    roster.for_each_socket(group, except, |socket| told.push(socket.id()));
    told
}

/// The sockets of a group's members, looked up by name.
fn looked_up(roster: &Roster, group: &GroupName, except: Option<&SessionId>) -> Vec<SocketId> {
    let members = roster.everyone(group).into_iter().filter(|(session, ..)| Some(session) != except);
    let sockets = members.flat_map(|(session, ..)| roster.sockets(&session));
    let mut ids: Vec<SocketId> = sockets.map(|attached| attached.handle.id()).collect();
    ids.sort();
    ids
}

#[test]
fn whoever_comes_and_goes_in_whatever_order_a_group_tells_each_socket_of_its_members_once() {
    let sessions = ["a", "b", "c", "d"].map(|name| SessionId::parse(name).expect("legal"));
    let groups = ["g", "h", "i"].map(|name| GroupName::parse(name).expect("legal"));
    for seed in 0..50 {
        let mut random = StdRng::seed_from_u64(seed);
        let roster = Roster::new(NodeId::from("n"), None);
        let mut older = Vec::new();
        for step in 0..200 {
            let session = &sessions[random.random_range(0..sessions.len())];
            let (group, user) = (&groups[random.random_range(0..groups.len())], UserId::guest(session));
            match random.random_range(0..10) {
                0..3 => _ = roster.enter(session, &user, group),
                3..5 => _ = roster.leave(session, group),
                5..8 => {
                    // Ids are given when a socket is made, which is not the order in which they are attached.
                    older.push(socket(&user));
                    let at = random.random_range(0..older.len());
                    roster.attach(session, older.swap_remove(at));
                }
                8 => {
                    if let Some(attached) = roster.sockets(session).first() {
                        roster.detach(session, attached.handle.id());
                    }
                }
                _ => _ = roster.remove(session),
            }
            for group in &groups {
                for except in std::iter::once(None).chain(sessions.iter().map(Some)) {
                    let expected = looked_up(&roster, group, except);
                    assert_eq!(told(&roster, group, except), expected, "seed {seed}, step {step}, but for {except:?}");
                }
                assert_eq!(roster.listeners(group), looked_up(&roster, group, None).len());
            }
            let all = sessions.iter().map(|session| roster.sockets(session).len()).sum::<usize>();
            assert_eq!(roster.count().sockets, all);
        }
    }
}
