//! The client's address, behind proxies too.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// The header in which proxies write from whom a request came to them.
pub const FORWARDED_FOR: &str = "x-forwarded-for";

/// Who sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// Their address, or that of the last proxy before them that is known.
    pub address: IpAddr,
    /// `false`: a trusted proxy named somebody, and who that is cannot be read.
    pub is_known: bool,
}

/// The client: the peer, unless the peer is a trusted proxy; then the rightmost entry of `X-Forwarded-For` that is none.
/// `forwarded` are the header's values, in the order in which they came, as bytes: what clients write left of the proxies' own
/// entries may be anything. An entry that cannot be read ends the search, since whatever stands left of it was not written by a
/// trusted proxy's hand.
pub fn client<'a>(peer: IpAddr, forwarded: impl DoubleEndedIterator<Item = &'a [u8]>, trusted: &[IpNet]) -> Client {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = Client { address: peer.to_canonical(), is_known: true };
    if !is_trusted(&client.address) {
        return client;
    }
    let mut entries = forwarded.rev().flat_map(|value| value.rsplit(|byte| *byte == b',')).peekable();
    let is_told = entries.peek().is_some();
    // Lists may have empty elements (RFC 9110, 5.6.1).
    let mut entries = entries.map(<[u8]>::trim_ascii).filter(|entry| !entry.is_empty()).peekable();
    client.is_known = !is_told || entries.peek().is_some();
    for entry in entries {
        match entry_address(entry) {
            Some(address) => client.address = address,
            None => client.is_known = false,
        }
        if !client.is_known || !is_trusted(&client.address) {
            break;
        }
    }
    client
}

/// An entry as proxies write it: an address, perhaps with a port, perhaps quoted.
fn entry_address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(peer: &str, forwarded: &[&[u8]], trusted: &[&str]) -> Client {
        let trusted: Vec<IpNet> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        client(peer.parse().unwrap(), forwarded.iter().copied(), &trusted)
    }

    fn seen(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let bytes: Vec<&[u8]> = forwarded.iter().map(|text| text.as_bytes()).collect();
        found(peer, &bytes, trusted).address.to_string()
    }

    #[test]
    fn a_peer_that_is_no_trusted_proxy_is_the_client() {
        assert_eq!(seen("203.0.113.9", &["1.2.3.4"], &[]), "203.0.113.9");
        assert_eq!(seen("203.0.113.9", &["1.2.3.4"], &["10.0.0.0/8"]), "203.0.113.9");
    }

    #[test]
    fn behind_proxies_the_rightmost_foreign_address_is_the_client() {
        let proxies = ["10.0.0.0/8", "fd00::/8"];
        assert_eq!(seen("10.0.0.1", &["6.6.6.6, 198.51.100.7, 10.0.0.2"], &proxies), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &["6.6.6.6", "198.51.100.7", "10.0.0.2"], &proxies), "198.51.100.7");
        assert_eq!(seen("::ffff:10.0.0.1", &["198.51.100.7:4711"], &proxies), "198.51.100.7");
        assert_eq!(seen("fd00::1", &["\"[2001:db8::5]:4711\""], &proxies), "2001:db8::5");
        assert_eq!(seen("10.0.0.1", &["[2001:db8::5]"], &proxies), "2001:db8::5");
        assert_eq!(seen("10.0.0.1", &["198.51.100.7, ,"], &proxies), "198.51.100.7");
    }

    #[test]
    fn what_a_client_wrote_before_the_proxys_entry_is_not_looked_at() {
        for value in [b"\xff, 198.51.100.7".as_slice(), b"\x80\xfe\xfd,198.51.100.7", b"caf\xe9, 198.51.100.7"] {
            let client = found("10.0.0.1", &[value], &["10.0.0.0/8"]);
            assert_eq!((client.address.to_string().as_str(), client.is_known), ("198.51.100.7", true));
        }
        let client = found("10.0.0.1", &[b"\xff", b"198.51.100.7"], &["10.0.0.0/8"]);
        assert_eq!(client.address.to_string(), "198.51.100.7");
    }

    #[test]
    fn the_search_ends_where_nothing_can_be_read() {
        assert_eq!(seen("10.0.0.1", &[], &["10.0.0.0/8"]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["6.6.6.6, unknown, 10.0.0.2"], &["10.0.0.0/8"]), "10.0.0.2");
        assert_eq!(seen("10.0.0.1", &["10.0.0.9, 10.0.0.2"], &["10.0.0.0/8"]), "10.0.0.9");
        for unknown in [b"unknown".as_slice(), b"\xff", b"", b","] {
            assert!(!found("10.0.0.1", &[unknown], &["10.0.0.0/8"]).is_known);
        }
        assert!(found("10.0.0.1", &[], &["10.0.0.0/8"]).is_known);
        assert!(found("192.0.2.1", &[b"unknown"], &["10.0.0.0/8"]).is_known);
    }
}
