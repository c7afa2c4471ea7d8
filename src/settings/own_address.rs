//! Where a node of these settings is asked from its own machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::sections::Settings;

impl Settings {
    /// `http(s)://…` of the listener that people come to.
    pub fn public_url(&self) -> String {
        let scheme = if self.server.has_tls() { "https" } else { "http" };
        format!("{scheme}://{}", reachable(self.server.bind))
    }

    /// The same of the one that answers operators.
    pub fn operators_url(&self) -> String {
        match self.admin.bind {
            Some(bind) => format!("http://{}", reachable(bind)),
            None => self.public_url(),
        }
    }
}

/// Where an address that stands for all of this machine's is reached.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use crate::settings::tests::load;

    #[test]
    fn a_node_is_asked_where_it_listens_and_its_operators_where_they_have_a_port() {
        let urls = |environment: &[(&str, &str)]| {
            let settings = load(environment).unwrap().settings;
            [settings.public_url(), settings.operators_url()]
        };
        assert_eq!(urls(&[]), ["http://127.0.0.1:8080"; 2]);
        let open = ("SOPHIE__SERVER__BIND", "[::]:1");
        assert_eq!(urls(&[open]), ["http://[::1]:1"; 2]);
        let tls = [open, ("SOPHIE__SERVER__TLS_CERT", "c"), ("SOPHIE__SERVER__TLS_KEY", "k")];
        let admin = ("SOPHIE__ADMIN__BIND", "0.0.0.0:2");
        assert_eq!(urls(&[&tls[..], &[admin]].concat()), ["https://[::1]:1", "http://127.0.0.1:2"]);
    }
}
