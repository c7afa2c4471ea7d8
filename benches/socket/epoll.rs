//! The bare epoll program, which everything is compared with: one thread; it reads what there is, takes the frames apart, and
//! writes to each member once what its group was told in this round. It parses no text, keeps nothing, acknowledges nothing. A
//! client's group is the path of its handshake.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::frame;

const LISTENER: Token = Token(usize::MAX);
/// The handshake's answer to the one key that the load sends.
const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

struct Connection {
    stream: TcpStream,
    /// The group's place, once the handshake is done.
    group: Option<usize>,
    /// What has been read of a frame or of the handshake.
    read: Vec<u8>,
    /// What the socket did not take.
    unsent: Vec<u8>,
}

impl Connection {
    fn write(&mut self, bytes: &[u8]) {
        if self.unsent.is_empty() {
            match self.stream.write(bytes) {
                Ok(taken) => self.unsent.extend(&bytes[taken..]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.unsent.extend(bytes),
                Err(_) => {}
            }
        } else {
            self.unsent.extend(bytes);
        }
    }

    fn write_unsent(&mut self) {
        if !self.unsent.is_empty() {
            let unsent = std::mem::take(&mut self.unsent);
            self.write(&unsent);
        }
    }
}

#[derive(Default)]
struct Server {
    connections: Vec<Option<Connection>>,
    names: HashMap<String, usize>,
    groups: Vec<Group>,
    /// Groups that were told something in this round.
    told: Vec<usize>,
}

#[derive(Default)]
struct Group {
    members: Vec<usize>,
    frames: Vec<u8>,
}

impl Server {
    fn at(&mut self, id: usize) -> Option<&mut Connection> {
        self.connections.get_mut(id)?.as_mut()
    }

    /// Whether the connection goes on.
    fn readable(&mut self, id: usize, buffer: &mut [u8]) -> bool {
        loop {
            let Some(connection) = self.at(id) else { return false };
            match connection.stream.read(buffer) {
                Ok(0) => return false,
                Ok(length) => {
                    self.received(id, &mut buffer[..length]);
                    if length < buffer.len() {
                        return true;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
    }

    fn received(&mut self, id: usize, bytes: &mut [u8]) {
        let Some(connection) = self.at(id) else { return };
        let Some(group) = connection.group else { return self.handshake(id, bytes) };
        if connection.read.is_empty() {
            let taken = self.frames(group, bytes);
            if taken < bytes.len()
                && let Some(connection) = self.at(id)
            {
                connection.read.extend(&bytes[taken..]);
            }
            return;
        }
        let mut read = std::mem::take(&mut connection.read);
        read.extend(&*bytes);
        let taken = self.frames(group, &mut read);
        read.drain(..taken);
        if let Some(connection) = self.at(id) {
            connection.read = read;
        }
    }

    fn handshake(&mut self, id: usize, bytes: &[u8]) {
        let Some(connection) = self.at(id) else { return };
        connection.read.extend(bytes);
        if !connection.read.ends_with(b"\r\n\r\n") {
            return;
        }
        let head = String::from_utf8_lossy(&std::mem::take(&mut connection.read)).into_owned();
        let name = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let group = *self.names.entry(name).or_insert(self.groups.len());
        if group == self.groups.len() {
            self.groups.push(Group::default());
        }
        self.groups[group].members.push(id);
        if let Some(connection) = self.at(id) {
            connection.group = Some(group);
            connection.write(ACCEPTED);
        }
    }

    /// Takes the frames that are whole; returns how many bytes those were.
    fn frames(&mut self, group: usize, bytes: &mut [u8]) -> usize {
        let mut taken = 0;
        while let Some(frame) = frame::first_unmasked(&mut bytes[taken..]) {
            taken += frame.length;
            if frame.opcode != frame::TEXT {
                continue;
            }
            let frames = &mut self.groups[group].frames;
            if frames.is_empty() {
                self.told.push(group);
            }
            frame::from_server(frame::TEXT, frame.payload, frames);
        }
        taken
    }

    fn tell(&mut self) {
        for group in self.told.drain(..) {
            let group = &mut self.groups[group];
            for member in &group.members {
                if let Some(connection) = &mut self.connections[*member] {
                    connection.write(&group.frames);
                }
            }
            group.frames.clear();
        }
    }

    fn close(&mut self, id: usize) {
        if let Some(Connection { group: Some(group), .. }) = self.connections[id].take() {
            self.groups[group].members.retain(|member| *member != id);
        }
    }
}

/// Serves until it is killed.
pub(crate) fn serve(port: u16) {
    let mut poll = Poll::new().expect("epoll");
    let mut events = Events::with_capacity(1_024);
    let mut listener = TcpListener::bind(([127, 0, 0, 1], port).into()).expect("a free port");
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).expect("epoll");
    let (mut server, mut buffer) = (Server::default(), vec![0; 64 * 1024]);
    loop {
        poll.poll(&mut events, None).expect("epoll");
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true).expect("a socket");
                    let token = Token(server.connections.len());
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut stream, token, interest).expect("epoll");
                    let connection = Connection { stream, group: None, read: Vec::new(), unsent: Vec::new() };
                    server.connections.push(Some(connection));
                }
                continue;
            }
            let id = event.token().0;
            if event.is_writable()
                && let Some(connection) = server.at(id)
            {
                connection.write_unsent();
            }
            if event.is_readable() && !server.readable(id, &mut buffer) {
                server.close(id);
            }
        }
        server.tell();
    }
}
