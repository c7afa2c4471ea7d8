//! What must hold of whatever a caller shows.

use std::net::IpAddr;

use jsonwebtoken::{Algorithm, DecodingKey};
use sophie_actors::ids::UserId;

use super::address::client;
use super::grant::Grant;
use super::jwt::{Claims, Expected, header, mint, verify};
use super::patterns::Pattern;
use super::{credentials, origin::OriginRule};

/// When tokens are looked at here, in Unix seconds.
const NOW: u64 = 1_800_000_000;

/// A token comes out of a query as it went in, none is empty, and only the one protocol is agreed on.
pub fn query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (authorization, rest) = text.split_once('\n').unwrap_or(("", text));
    let (offers, query) = rest.split_once('\n').unwrap_or(("", rest));
    if let Some(token) = credentials::token(Some(authorization), offers, query) {
        assert!(!token.is_empty());
    }
    if let Ok(Some(protocol)) = credentials::negotiate(offers) {
        assert_eq!(protocol, credentials::PROTOCOL);
    }
    let escaped: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let found = credentials::token(None, "", &format!("since=1&token={escaped}"));
    assert_eq!(found.as_deref(), Some(text).filter(|text| !text.is_empty()));

    let rule = OriginRule::from(&[offers.to_owned()]);
    _ = (rule.allows(Some(authorization), Some(query)), rule.listed(authorization));
    assert!(rule.allows(None, Some(query)), "what is no browser has no origin");
}

/// Nobody without the key makes a token; one that was made says what it was made of, and with a byte changed it says nothing.
pub fn token(data: &[u8]) {
    let key = DecodingKey::from_secret(b"secret");
    let check = |token: &str| {
        header(token)?;
        verify(token, &key, Algorithm::HS256, &Expected::default(), NOW)
    };
    if let Ok(token) = std::str::from_utf8(data) {
        assert!(check(token).is_err(), "nobody without the key makes a token");
    }
    let [at, by, life, text @ ..] = data else { return };
    let sub = String::from_utf8_lossy(text).into_owned();
    let exp = NOW - 128 + u64::from(*life);
    let claims = Claims { sub: sub.clone(), exp, iat: Some(NOW), groups: Some(vec![sub.clone()]), sessions: None };
    let made = mint("secret", &claims).expect("claims are JSON");
    match check(&made) {
        Ok(claims) => {
            assert_eq!((&claims.sub, claims.exp, claims.groups), (&sub, exp, Some(vec![sub.clone()])));
            assert!(exp > NOW && UserId::parse(&sub).is_ok());
        }
        Err(_) => assert!(exp <= NOW || UserId::parse(&sub).is_err() || made.len() > 16 * 1_024, "{claims:?}"),
    }
    let mut changed = made.into_bytes();
    let at = usize::from(*at) * changed.len() / 256;
    changed[at] ^= (by & 0x7f).max(1);
    let changed = String::from_utf8(changed).expect("ASCII stays ASCII");
    assert!(check(&changed).is_err(), "changed at {at}: {changed}");
}

/// An address is that of the peer or one that was told, and patterns end.
pub fn told(data: &[u8]) {
    if let Ok(grant) = Grant::read(data) {
        assert!(UserId::parse(&grant.user).is_ok());
        assert!(grant.context.is_none_or(|context| context.chars().count() <= 8_000));
    }
    let peer = IpAddr::from([127, 0, 0, 1]);
    let trusted = ["127.0.0.0/8".parse().expect("a network")];
    let lines = || data.split(|byte| *byte == b'\n');
    let found = client(peer, lines(), &trusted);
    assert_eq!(client(peer, lines(), &[]).address, peer, "nobody is trusted");
    if found.address != peer && !trusted[0].contains(&found.address) {
        let others = [&b"203.0.113.9, "[..], data].concat();
        let others = client(peer, others.split(|byte| *byte == b'\n'), &trusted);
        assert_eq!(others, found, "what stands left of it changes nothing");
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Some((pattern, name)) = text.split_once('\n')
    {
        assert!(Pattern::from("*").matches(name));
        assert!(!Pattern::from(pattern).matches(name) || Pattern::from(&*format!("*{pattern}*")).matches(name));
        let is_plain = !pattern.contains(['*', '?']);
        assert!(!is_plain || Pattern::from(pattern).matches(name) == (pattern == name));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_seeds_of_what_callers_show_hold() {
        sophie_kit::seeds::play("auth_queries", super::query);
        sophie_kit::seeds::play("auth_tokens", super::token);
        sophie_kit::seeds::play("auth_told", super::told);
    }
}
