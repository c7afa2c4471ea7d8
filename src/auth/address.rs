//! The client's address, behind proxies too.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// The client's address: the peer's, unless the peer is a trusted proxy; then the rightmost entry of `X-Forwarded-For` that is none.
/// `forwarded` are the header's values, in the order in which they came. An entry that cannot be read ends the search, since whatever
/// stands left of it was not written by a trusted proxy's hand.
pub fn client_address<'a>(
    peer: IpAddr,
    forwarded: impl DoubleEndedIterator<Item = &'a str>,
    trusted: &[IpNet],
) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut nearest = peer.to_canonical();
    for entry in forwarded.rev().flat_map(|value| value.rsplit(',')) {
        if !is_trusted(&nearest) {
            break;
        }
        match entry_address(entry) {
            Some(address) => nearest = address,
            None => break,
        }
    }
    nearest
}

/// An entry as proxies write it: an address, perhaps with a port, perhaps quoted.
fn entry_address(entry: &str) -> Option<IpAddr> {
    let text = entry.trim().trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let trusted: Vec<IpNet> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        client_address(peer.parse().unwrap(), forwarded.iter().copied(), &trusted).to_string()
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
    }

    #[test]
    fn the_search_ends_where_nothing_can_be_read() {
        assert_eq!(seen("10.0.0.1", &[], &["10.0.0.0/8"]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["6.6.6.6, unknown, 10.0.0.2"], &["10.0.0.0/8"]), "10.0.0.2");
        assert_eq!(seen("10.0.0.1", &["10.0.0.9, 10.0.0.2"], &["10.0.0.0/8"]), "10.0.0.9");
    }
}
