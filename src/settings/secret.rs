//! Values that must not show in logs: they print masked, and only `expose` and `as_str` give them away.

use std::fmt;

use serde::Deserialize;

/// What is printed in place of a secret.
pub const MASK: &str = "***";

/// A password, key or token. Prints as `***`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it was not set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "\"\"" } else { MASK })
    }
}

/// The address of another service, which may hold a password. Prints with that masked.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ServiceUrl(String);

impl ServiceUrl {
    /// The address with its password.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it was not set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for ServiceUrl {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask_url(&self.0))
    }
}

impl fmt::Debug for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", mask_url(&self.0))
    }
}

/// A URL with its password masked: user, host and path stay, the values of a query do not. Works on text that is no URL too, since a
/// mistyped address must not show its password either.
pub fn mask_url(url: &str) -> String {
    let (base, query) = url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let (scheme, rest) = base.split_once("://").unwrap_or(("", base));
    let mut masked = String::new();
    if !scheme.is_empty() {
        masked.push_str(scheme);
        masked.push_str("://");
    }
    // The last `@` of all: an unescaped `/` or `@` in a password must not bring its end to light.
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            masked.push_str(user.split_once(':').map_or(user, |(name, _)| name));
            if user.contains(':') {
                masked.push(':');
                masked.push_str(MASK);
            }
            masked.push('@');
            masked.push_str(host);
        }
        None => masked.push_str(rest),
    }
    if let Some(query) = query {
        let parts: Vec<String> = query.split('&').map(mask_pair).collect();
        masked.push('?');
        masked.push_str(&parts.join("&"));
    }
    masked
}

fn mask_pair(pair: &str) -> String {
    match pair.split_once('=') {
        Some(("db" | "user" | "protocol" | "master" | "sentinel", _)) | None => pair.to_owned(),
        Some((name, _)) => format!("{name}={MASK}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_shows_when_printed() {
        assert_eq!(format!("{:?}", Secret::from("hunter2")), MASK);
        assert_eq!(format!("{:?}", Secret::from("")), "\"\"");
        let url = ServiceUrl::from("rediss://app:hunter2@redis.example.com:6380/3".to_owned());
        assert_eq!(url.to_string(), "rediss://app:***@redis.example.com:6380/3");
        assert!(!format!("{url:?}").contains("hunter2"));
    }

    #[test]
    fn a_url_is_masked_wherever_its_password_stands() {
        assert_eq!(mask_url("redis://:p@ss/w@h:1/0"), "redis://:***@h:1/0");
        assert_eq!(mask_url("unix:///run/redis.sock?db=2&pass=hunter2"), "unix:///run/redis.sock?db=2&pass=***");
        assert_eq!(mask_url("app:hunter2@host"), "app:***@host");
        assert_eq!(mask_url("https://idp.example.com/keys"), "https://idp.example.com/keys");
        assert_eq!(mask_url(""), "");
    }
}
