//! Which answers are kept and shared: those that a request fixes, or asks to have kept. Two answers that were drawn by lot are two
//! answers: who asks again wants another one. Pure.

use sophie_actors::answers::Reuse;
use sophie_actors::openai::Body;

use crate::settings::HttpCache;

/// What a request wishes of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wishes {
    /// As far as the answer may be kept and shared.
    pub reuse: Reuse,
    /// It asks that the answer be kept, or that a kept one be taken.
    pub asks: bool,
}

/// What is shared of the answer to a request; `is_fixed`: it says that the same answer is to come each time.
pub fn reuse(setting: HttpCache, wishes: Wishes, is_fixed: bool) -> Reuse {
    let shares = match setting {
        HttpCache::Always => true,
        HttpCache::Never => false,
        HttpCache::Deterministic => wishes.asks || is_fixed,
    };
    if shares { wishes.reuse } else { Reuse::NOTHING }
}

/// Whether a request for a chat completion says so.
pub fn is_fixed(body: &Body) -> bool {
    let number = |name: &str| body.get(name).and_then(|value| value.parse::<f64>().ok());
    number("temperature") == Some(0.0) || number("seed").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_shared_when_the_request_fixes_it_or_asks_for_it() {
        let shared = |setting: HttpCache, asks: bool, body: &'static str| {
            let body = Body::parse(&body.into()).unwrap();
            reuse(setting, Wishes { reuse: Reuse::FREE, asks }, is_fixed(&body)) == Reuse::FREE
        };
        use HttpCache::{Always, Deterministic, Never};
        for fixed in [r#"{"temperature":0}"#, r#"{"temperature":0.0}"#, r#"{"temperature":-0e3}"#, r#"{"seed":7}"#] {
            assert!(shared(Deterministic, false, fixed) && !shared(Never, true, fixed), "{fixed}");
        }
        for drawn in ["{}", r#"{"temperature":0.1}"#, r#"{"temperature":null,"seed":null}"#, r#"{"seed":"7"}"#] {
            assert!(!shared(Deterministic, false, drawn), "{drawn}");
            assert!(shared(Deterministic, true, drawn) && shared(Always, false, drawn), "{drawn}");
        }
    }
}
