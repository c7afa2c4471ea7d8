//! Sites that may show the chat page in a frame, as `server.frame_ancestors` names them: sources of `frame-ancestors` (CSP).

use super::origin::{AllowedOrigin, Origin};

/// What is allowed, in words.
pub(super) const ALLOWED: &str =
    "'self' (in its quotes), *, http(s)://host, http(s)://host:port or http(s)://*.domain, without a path";

/// Whether a text can stand in the header as it is, and means there what it says: neither a list, nor another directive.
pub(super) fn is_frame_ancestor(text: &str) -> bool {
    // CSP knows no addresses of IPv6, and no underscores in names: a browser would pass over such a source.
    let is_host =
        |origin: &Origin| matches!(origin.scheme.as_str(), "http" | "https") && !origin.host.contains(['[', ':', '_']);
    text == "'self'"
        || match AllowedOrigin::parse(text) {
            Some(AllowedOrigin::Any) => true,
            Some(AllowedOrigin::Exact(origin) | AllowedOrigin::Below(origin)) => is_host(&origin),
            None => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_origin_or_self_and_nothing_that_a_header_could_be_changed_with() {
        for good in ["'self'", "*", "https://shop.example.org", "http://127.0.0.1:8000", "https://*.Example.org:8443"] {
            assert!(is_frame_ancestor(good), "{good}");
        }
        for bad in [
            "'none'",
            "self",
            "shop.example.org",
            "https://shop.example.org/",
            "https://a.example https://b.example",
            "https://a.example; script-src *",
            "https://a.example,b",
            "https://a.example\r\nx: y",
            "https:",
            "data://x",
            "https://[::1]:80",
            "https://a_b.example",
            "https://a.*.example",
            "",
        ] {
            assert!(!is_frame_ancestor(bad), "{bad}");
        }
    }
}
