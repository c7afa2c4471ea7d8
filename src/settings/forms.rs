//! The forms that texts of settings may have.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::IpNet;

/// An address to listen on: `IP:port`, or `localhost:port` for the IPv4 loopback address.
pub fn address(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => port.parse().ok().map(|port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)),
        None => text.parse().ok(),
    }
}

/// A network in CIDR notation; an address alone is the network of this one.
pub fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

pub(super) fn is_name(text: &str, marks: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || marks.as_bytes().contains(&b))
}

pub(super) fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:[]".contains(&b))
}

pub(super) fn is_url(text: &str, schemes: &[&str]) -> bool {
    let Ok(url) = reqwest::Url::parse(text) else { return false };
    let socket = url.scheme().ends_with("unix");
    schemes.contains(&url.scheme()) && (socket || url.host_str().is_some_and(|host| !host.is_empty()))
}

/// What stands at paths of the program's own, as the first of their parts, or the first two of them.
const TAKEN: [&str; 9] = ["/v1", "/ws", "/ds", "/ag-ui", "/admin", "/health", "/metrics", "/page", "/api/groups"];

/// Whether a path can stand beside those of the program: it has parts, as they are told on the wire, and begins as none of them does.
pub(super) fn is_own_path(path: &str) -> bool {
    let is_part = |part: &str| {
        let plain = part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        plain && !part.is_empty() && !part.starts_with('.')
    };
    let below = |taken: &&str| path.strip_prefix(*taken).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path.len() <= 128
        && path != "/api"
        && path.strip_prefix('/').is_some_and(|parts| parts.split('/').all(is_part))
        && !TAKEN.iter().any(below)
}

/// The name of a model, or a pattern of names: what is allowed, in words.
pub(super) const MODELS: &str = "a model's name or a pattern, visible ASCII; * is any run of characters and ? any one";

/// Whether a text may be a model's name or a pattern.
pub(super) fn is_model(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Whether a text is one line of at most so many characters.
pub(super) fn is_line(text: &str, most: usize) -> bool {
    text.chars().count() <= most && !text.chars().any(char::is_control)
}

/// Whether a text is a colour in hexadecimal digits, three or six of them.
pub(super) fn is_color(text: &str) -> bool {
    text.strip_prefix('#')
        .is_some_and(|rest| matches!(rest.len(), 3 | 6) && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// What stands for every model where none is named.
pub(super) fn every_model() -> Vec<String> {
    vec!["*".to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_three_or_six_digits_and_nothing_else() {
        for color in ["#2c5f54", "#FFF", "#a0B1c2"] {
            assert!(is_color(color), "{color}");
        }
        for text in ["", "#", "2c5f54", "#2c5f5", "#2c5f54;", "red", "#ggg", "#2c5f54ff", "url(x)", "#é12"] {
            assert!(!is_color(text), "{text}");
        }
        assert!(is_line("é", 1) && is_line("", 0) && !is_line("ab", 1) && !is_line("a\n", 5));
    }

    #[test]
    fn a_path_of_its_own_is_a_path_where_nothing_else_stands() {
        for path in ["/api/chat", "/chat", "/v1x", "/my/chat_2.0", "/api/groupsx"] {
            assert!(is_own_path(path), "{path}");
        }
        let long = format!("/{}", "x".repeat(128));
        for path in [
            "",
            "/",
            "chat",
            "/chat/",
            "//chat",
            "/a b",
            "/a{b}",
            "/a%20",
            "/..",
            "/v1",
            "/v1/chat",
            "/ws/x",
            "/ds",
            "/ag-ui",
            "/admin",
            "/health/x",
            "/metrics",
            "/page",
            "/api",
            "/api/groups",
            "/api/groups/x",
            "/é",
            &long,
        ] {
            assert!(!is_own_path(path), "{path}");
        }
    }

    #[test]
    fn addresses_urls_and_networks_are_told_from_other_texts() {
        for good in ["0.0.0.0:80", "[::1]:8080", "localhost:0"] {
            assert!(address(good).is_some(), "{good}");
        }
        for bad in ["8080", "localhost", "example.com:80", "127.0.0.1:99999", ""] {
            assert!(address(bad).is_none(), "{bad}");
        }
        assert!(is_url("rediss://u:p@h:6380/1", &["redis", "rediss"]));
        assert!(is_url("unix:///run/redis.sock", &["unix"]));
        for bad in ["http://h", "redis://", "h:6379", "redis:///0"] {
            assert!(!is_url(bad, &["redis"]), "{bad}");
        }
        assert!(network("10.0.0.0/33").is_none());
        assert_eq!(network("::1").map(|net| net.prefix_len()), Some(128));
    }
}
