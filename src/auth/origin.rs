//! Which browser pages may connect: the rule on the `Origin` header.

use actix_web::http::header::{self, HeaderMap};

use crate::settings::origin::{AllowedOrigin, Origin, default_port, host_and_port};

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
}
