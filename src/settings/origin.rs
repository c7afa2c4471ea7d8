//! Origins of pages, as `server.allowed_origins` names them.

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

    pub(crate) fn admits(&self, origin: &Origin) -> bool {
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
    pub(crate) scheme: String,
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl Origin {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let (scheme, rest) = text.split_once("://")?;
        let legal_scheme =
            !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        let (host, port) = host_and_port(rest)?;
        legal_scheme.then(|| Self { scheme: scheme.to_owned(), host, port: port.or(default_port(scheme)) })
    }
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).and_then(|name| name.strip_suffix('.')).is_some_and(|name| !name.is_empty())
}

/// The port of a scheme, where it has one of its own.
pub(crate) fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

/// The two parts of a host as it stands in a URL or in `Host`.
pub(crate) fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
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

    #[test]
    fn entries_that_are_no_origin_are_told() {
        for bad in ["example.com", "https://a.com/", "https://", "https://a.*.com", "https://*", "https://a.com:x", ""]
        {
            assert!(AllowedOrigin::parse(bad).is_none(), "{bad}");
        }
    }
}
