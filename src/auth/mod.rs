//! Who a caller is, and what they may join.

pub mod address;
pub mod bearer;
pub mod credentials;
pub mod doors;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod grant;
pub mod hook;
pub mod jwks;
pub mod jwt;
pub mod origin;

mod authenticator;
mod identity;
mod refusal;

use std::time::{SystemTime, UNIX_EPOCH};

pub use authenticator::{Authenticator, Credentials, Freshness};
pub use identity::{Identity, SessionRule, may_guest_join};
pub use refusal::AuthError;
pub use sophie_actors::patterns;

/// Seconds since 1970, as tokens count.
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs())
}

#[cfg(test)]
pub(crate) mod tests;
