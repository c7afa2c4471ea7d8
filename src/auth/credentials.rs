//! What a WebSocket request says about who sends it and how it wants to speak: pure over header values.

/// The one subprotocol: JSON text frames.
pub const PROTOCOL: &str = "sophie.v1";

/// What an offered subprotocol that is a token begins with: browsers cannot set headers.
const BEARER_OFFER: &str = "bearer.";

/// None of the subprotocols that were offered is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("none of the offered subprotocols is known: offer {PROTOCOL}")]
pub struct UnknownProtocol;

/// The token of a request, the first one found: `Authorization: Bearer T`, the offered subprotocol `bearer.T`, the query `token=T`.
/// `offers` is the value of `Sec-WebSocket-Protocol`, several joined by commas.
pub fn token(authorization: Option<&str>, offers: &str, query: &str) -> Option<String> {
    let header = authorization.and_then(bearer).map(str::to_owned);
    let offered = || split(offers).find_map(|offer| offer.strip_prefix(BEARER_OFFER)).map(str::to_owned);
    let queried = || {
        let pairs = actix_web::web::Query::<Vec<(String, String)>>::from_query(query).ok()?;
        pairs.into_inner().into_iter().find(|(name, _)| name == "token").map(|(_, token)| token)
    };
    let present = |token: &String| !token.is_empty();
    header.filter(present).or_else(|| offered().filter(present)).or_else(|| queried().filter(present))
}

/// The token of an `Authorization` header, if it is a bearer's.
pub fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The subprotocol to answer with. No offer, or an offer of tokens alone, gets none.
pub fn negotiate(offers: &str) -> Result<Option<&'static str>, UnknownProtocol> {
    let mut protocols = split(offers).filter(|offer| !offer.starts_with(BEARER_OFFER)).peekable();
    if protocols.peek().is_none() {
        return Ok(None);
    }
    if protocols.any(|offer| offer == PROTOCOL) { Ok(Some(PROTOCOL)) } else { Err(UnknownProtocol) }
}

/// Whichever protocol is offered beside tokens, for those who do not look at it: browsers take no answer without one of what they offered.
pub fn first_offer(offers: &str) -> Option<&str> {
    split(offers).find(|offer| !offer.starts_with(BEARER_OFFER))
}

fn split(offers: &str) -> impl Iterator<Item = &str> {
    offers.split(',').map(str::trim).filter(|offer| !offer.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_token_found_counts() {
        let found = |authorization, offers, query| token(authorization, offers, query);
        assert_eq!(found(Some("Bearer a"), "bearer.b", "token=c").as_deref(), Some("a"));
        assert_eq!(found(Some("bearer  a "), "", "").as_deref(), Some("a"));
        assert_eq!(found(Some("Basic a"), "sophie.v1, bearer.b.c", "token=c").as_deref(), Some("b.c"));
        assert_eq!(found(None, "sophie.v1", "since=3&token=c%2Ed&token=e").as_deref(), Some("c.d"));
        assert_eq!(found(Some("Bearer "), "bearer.", "token=").as_deref(), None);
        assert_eq!(found(Some("Bearer"), "", "").as_deref(), None);
        assert_eq!(found(None, "", "%%%"), None);
    }

    #[test]
    fn any_protocol_will_do_but_a_token() {
        assert_eq!(first_offer("bearer.abc, chat, other"), Some("chat"));
        assert_eq!(first_offer("bearer.abc"), None);
        assert_eq!(first_offer(""), None);
    }

    #[test]
    fn the_protocol_is_answered_when_offered() {
        assert_eq!(negotiate(""), Ok(None));
        assert_eq!(negotiate("sophie.v1"), Ok(Some("sophie.v1")));
        assert_eq!(negotiate("other, sophie.v1"), Ok(Some("sophie.v1")));
        assert_eq!(negotiate("bearer.abc, sophie.v1"), Ok(Some("sophie.v1")));
        assert_eq!(negotiate("bearer.abc"), Ok(None));
        assert_eq!(negotiate("graphql-ws"), Err(UnknownProtocol));
        assert_eq!(negotiate("bearer.abc,graphql-ws"), Err(UnknownProtocol));
    }
}
