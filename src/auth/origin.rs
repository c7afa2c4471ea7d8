//! Which browser pages may connect: the rule on the `Origin` header.

use actix_web::http::header::{self, HeaderMap};

/// One entry of `server.allowed_origins`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// `*`: every page.
    Any,
    /// `https://app.example.com`: this one.
    Exact(Origin),
    /// `https://*.example.com`: every name below that domain, not the domain itself.
    Below(Origin),
}

impl AllowedOrigin {
    /// Reads an entry; none if it is not an origin.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let origin = Origin::parse(text)?;
        match origin.host.strip_prefix("*.") {
            Some(domain) if !domain.is_empty() && !domain.contains('*') => {
                Some(Self::Below(Origin { host: domain.to_owned(), ..origin }))
            }
            _ if origin.host.contains('*') => None,
            _ => Some(Self::Exact(origin)),
        }
    }

    /// Whether its pages are at this host, whatever the port; `*` names none.
    pub fn is_at(&self, host: &str) -> bool {
        match self {
            Self::Any => false,
            Self::Exact(origin) => origin.host == host,
            Self::Below(domain) => is_below(host, &domain.host),
        }
    }

    fn admits(&self, origin: &Origin) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(allowed) => allowed == origin,
            Self::Below(domain) => {
                is_below(&origin.host, &domain.host) && (&domain.scheme, domain.port) == (&origin.scheme, origin.port)
            }
        }
    }
}

/// Scheme, host and port in lower case, the scheme's own port filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origin {
    fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let (scheme, rest) = text.split_once("://")?;
        let legal_scheme =
            !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        let (host, port) = host_and_port(rest)?;
        legal_scheme.then(|| Self { scheme: scheme.to_owned(), host, port: port.or(default_port(scheme)) })
    }
}

/// The rule that `server.allowed_origins` makes.
#[derive(Debug, Clone)]
pub struct OriginRule(Vec<AllowedOrigin>);

impl OriginRule {
    /// The rule of a list of origins that was checked when it was loaded.
    pub fn from(allowed: &[String]) -> Self {
        Self(allowed.iter().filter_map(|text| AllowedOrigin::parse(text)).collect())
    }

    /// [`Self::allows`] for the headers of a request.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        self.allows(text(header::ORIGIN), text(header::HOST))
    }

    /// Whether the list has this origin, and if so, whether it is named there in full.
    pub fn listed(&self, origin: &str) -> Option<bool> {
        let parsed = Origin::parse(origin);
        let admits = |allowed: &AllowedOrigin| match &parsed {
            Some(origin) => allowed.admits(origin),
            None => *allowed == AllowedOrigin::Any,
        };
        let mut found = self.0.iter().filter(|allowed| admits(allowed)).peekable();
        found.peek()?;
        Some(found.any(|allowed| matches!(allowed, AllowedOrigin::Exact(_))))
    }

    /// Whether a request with these headers may connect. No `Origin` means no browser, and passes. Without a list the page must come
    /// from the host that it connects to.
    pub fn allows(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        let Some(text) = origin else { return true };
        let Some(origin) = Origin::parse(text) else { return self.0.contains(&AllowedOrigin::Any) };
        if !self.0.is_empty() {
            return self.0.iter().any(|allowed| allowed.admits(&origin));
        }
        let Some((host, port)) = host.and_then(|host| host_and_port(&host.to_ascii_lowercase())) else { return false };
        // The connection's own scheme is not known behind a proxy that ends TLS, so the page's stands for it.
        origin.host == host && origin.port == port.or(default_port(&origin.scheme))
    }
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).and_then(|name| name.strip_suffix('.')).is_some_and(|name| !name.is_empty())
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

pub(super) fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let end_of_host = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
    let (host, rest) = text.split_at(end_of_host);
    let port = match rest.strip_prefix(':') {
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => Some(port.parse().ok()?),
        None if rest.is_empty() => None,
        _ => return None,
    };
    let legal = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._*[]:".contains(&b));
    legal.then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(allowed: &[&str]) -> OriginRule {
        OriginRule::from(&allowed.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_no_browser_passes() {
        assert!(rule(&[]).allows(None, Some("chat.example.com")));
        assert!(rule(&["https://a.com"]).allows(None, None));
    }

    #[test]
    fn without_a_list_the_page_must_come_from_the_same_host() {
        let own = |origin, host| rule(&[]).allows(Some(origin), Some(host));
        assert!(own("https://Chat.example.com", "chat.Example.com"));
        assert!(own("https://chat.example.com", "chat.example.com:443"));
        assert!(own("http://chat.example.com:80", "chat.example.com"));
        assert!(own("http://localhost:8080", "localhost:8080"));
        assert!(own("http://[::1]:8080", "[::1]:8080"));
        assert!(!own("http://localhost:3000", "localhost:8080"));
        assert!(!own("https://chat.example.com.evil.com", "chat.example.com"));
        assert!(!own("https://evil.com", "chat.example.com"));
        assert!(!own("http://chat.example.com", "chat.example.com:443"));
        assert!(!own("null", "chat.example.com"));
        assert!(!own("", "chat.example.com"));
        assert!(!rule(&[]).allows(Some("https://a.com"), None));
    }

    #[test]
    fn a_list_decides_alone() {
        let listed = rule(&["https://app.example.com", "https://*.shop.com", "capacitor://localhost"]);
        let allows = |origin| listed.allows(Some(origin), Some("chat.example.com"));
        assert!(allows("https://app.example.com"));
        assert!(allows("https://APP.example.com:443"));
        assert!(allows("https://a.b.shop.com"));
        assert!(allows("capacitor://localhost"));
        assert!(!allows("http://app.example.com"));
        assert!(!allows("https://app.example.com:8443"));
        assert!(!allows("https://shop.com"));
        assert!(!allows("https://evilshop.com"));
        assert!(!allows("https://.shop.com"));
        assert!(!allows("http://a.shop.com"));
        assert!(!allows("https://chat.example.com"), "the own host is not in the list");
        assert!(rule(&["*"]).allows(Some("null"), None));
    }

    #[test]
    fn an_origin_may_be_named_in_full_or_by_a_pattern() {
        let listed = rule(&["*", "https://app.example.com", "https://*.shop.com"]);
        assert_eq!(listed.listed("https://app.example.com"), Some(true));
        assert_eq!(listed.listed("https://a.shop.com"), Some(false));
        assert_eq!(listed.listed("null"), Some(false));
        assert_eq!(rule(&["https://app.example.com"]).listed("https://evil.com"), None);
        assert_eq!(rule(&["https://app.example.com"]).listed("null"), None);
        assert_eq!(rule(&[]).listed("https://app.example.com"), None);
    }

    #[test]
    fn entries_that_are_no_origin_are_told() {
        for bad in ["example.com", "https://a.com/", "https://", "https://a.*.com", "https://*", "https://a.com:x", ""]
        {
            assert!(AllowedOrigin::parse(bad).is_none(), "{bad}");
        }
    }
}
