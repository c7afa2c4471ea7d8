//! Tokens of users, as an application would mint them.

use sophie::auth::jwt::{self, Claims};
use sophie::auth::unix_now;

const SECRET: &str = "a secret of the tests that is long enough for its hash";

/// The settings of a program that takes these tokens.
pub const JWT: [(&str, &str); 2] = [("SOPHIE__AUTH__MODE", "jwt"), ("SOPHIE__AUTH__JWT_SECRET", SECRET)];

/// A token in the making.
pub struct Token(Claims);

impl Token {
    /// A user's token for a minute, without patterns.
    pub fn of(user: &str) -> Self {
        Self(Claims { sub: user.to_owned(), exp: unix_now() + 60, iat: None, groups: None, sessions: None })
    }

    /// Ends so many seconds from now, or has ended before now.
    pub fn ends_in(mut self, seconds: i64) -> Self {
        self.0.exp = unix_now().saturating_add_signed(seconds);
        self
    }

    /// Issued so many seconds from now, or before now.
    pub fn issued_in(mut self, seconds: i64) -> Self {
        self.0.iat = Some(unix_now().saturating_add_signed(seconds));
        self
    }

    /// Lets its user join what these patterns match.
    pub fn groups(mut self, patterns: &[&str]) -> Self {
        self.0.groups = Some(patterns.iter().map(|&pattern| pattern.to_owned()).collect());
        self
    }

    /// Lets its user open what these patterns match.
    pub fn sessions(mut self, patterns: &[&str]) -> Self {
        self.0.sessions = Some(patterns.iter().map(|&pattern| pattern.to_owned()).collect());
        self
    }

    /// Signed.
    pub fn sign(&self) -> String {
        self.sign_with(SECRET)
    }

    /// Signed with any secret.
    pub fn sign_with(&self, secret: &str) -> String {
        jwt::mint(secret, &self.0).expect("a token")
    }
}
