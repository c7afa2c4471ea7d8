//! A port that a test has for itself, whether anything listens there or not.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port of this machine. As long as it is held, nobody who asks for a free port is given it: neither before a program of the test
/// listens there, nor while that program is down. Else two tests that run at the same time would meet there.
///
/// It is held by a socket that does not listen, beside which whoever sets `SO_REUSEADDR` can. Only Linux allows that: elsewhere the port
/// is not held.
#[derive(Debug)]
pub struct HeldPort {
    port: u16,
    _socket: Option<TcpSocket>,
}

impl HeldPort {
    /// A port on which nothing listens.
    ///
    /// # Panics
    /// There is none.
    pub fn free() -> Self {
        Self::bind(0).expect("a free port")
    }

    /// A certain one, if nothing listens there.
    pub fn of(port: u16) -> Option<Self> {
        Self::bind(port).ok()
    }

    fn bind(port: u16) -> std::io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        let port = socket.local_addr()?.port();
        Ok(Self { port, _socket: cfg!(target_os = "linux").then_some(socket) })
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.port
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn who_knows_a_held_port_can_listen_there_again_and_again_and_nobody_has_it_meanwhile() {
        let held = HeldPort::free();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, held.number()));
        for _ in 0..3 {
            assert!(TcpStream::connect(address).is_err(), "nothing listens");
            let listener = TcpListener::bind(address).expect("it can be listened on");
            TcpStream::connect(address).expect("connected");
            drop(listener);
        }
        if cfg!(target_os = "linux") {
            let other = TcpSocket::new_v4().expect("a socket");
            assert!(other.bind(address).is_err(), "it is held");
        }
    }
}
