//! `[otel]`: where traces are sent, and which of them.

use reqwest::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::backends::OWN_HEADERS;
use super::secret::{Secret, ServiceUrl};

/// `[otel]`
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "each is described in settings.toml")]
pub struct OtelSettings {
    /// Empty: no traces are made.
    pub endpoint: ServiceUrl,
    pub headers: Vec<Secret>,
    pub sample_ratio: f64,
    pub content: bool,
}

/// A header that the receiver of traces wants.
pub struct OtelHeader {
    /// Its name.
    pub name: HeaderName,
    /// Its text: often a key.
    pub value: HeaderValue,
}

impl OtelHeader {
    /// Reads `NAME=VALUE`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, value) = text.split_once('=')?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
        let value = value.trim();
        let is_visible = !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        let mut value = HeaderValue::from_str(value).ok().filter(|_| is_visible)?;
        value.set_sensitive(true);
        (!OWN_HEADERS.contains(&name.as_str())).then_some(Self { name, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_a_name_and_a_text() {
        let read = |text: &str| {
            let header = OtelHeader::parse(text)?;
            Some((header.name.to_string(), header.value.to_str().unwrap().to_owned()))
        };
        assert_eq!(read("Authorization=Basic dTpw=="), Some(("authorization".into(), "Basic dTpw==".into())));
        assert_eq!(read(" x-key = a key "), Some(("x-key".into(), "a key".into())));
        for bad in ["", "x-key", "=v", "x-key=", "a b=c", "x=\n", "content-type=text/plain", "host=h", "x=\u{e4}"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
