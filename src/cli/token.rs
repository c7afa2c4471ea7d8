//! `sophie token`: a token to try things out with.

use std::error::Error;
use std::time::Duration;

use clap::Args;

use crate::auth::jwt::{self, Claims};
use crate::auth::unix_now;
use crate::settings::Settings;

/// Whom a token is for.
#[derive(Args)]
pub(super) struct Arguments {
    /// The user (sub)
    #[arg(long, value_name = "U", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    user: String,
    /// Patterns of groups that may be joined; without it the home groups only
    #[arg(long, value_name = "G", value_delimiter = ',')]
    groups: Option<Vec<String>>,
    /// Patterns of sessions that may be used; without it any that nobody else owns
    #[arg(long, value_name = "S", value_delimiter = ',')]
    sessions: Option<Vec<String>>,
    /// How long it is valid: a number and s, m, h or d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    ttl: Duration,
}

/// A token for development, signed with `auth.jwt_secret`.
pub(super) fn mint(settings: &Settings, arguments: Arguments) -> Result<String, Box<dyn Error>> {
    let secret = &settings.auth.jwt_secret;
    if secret.is_empty() {
        return Err("auth.jwt_secret (SOPHIE__AUTH__JWT_SECRET) must be set: tokens are signed with it".into());
    }
    let Arguments { user, groups, sessions, ttl } = arguments;
    let claims = Claims { sub: user, exp: unix_now().saturating_add(ttl.as_secs()), iat: None, groups, sessions };
    Ok(jwt::mint(secret.expose(), &claims)?)
}

/// `90s`, `15m`, `1h`, `30d`; at least a second.
fn duration(text: &str) -> Result<Duration, &'static str> {
    const ALLOWED: &str = "a number and s, m, h or d, such as 1h";
    let unit = text.chars().next_back().ok_or(ALLOWED)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(ALLOWED),
    };
    let number: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| ALLOWED)?;
    let total = number.checked_mul(seconds).filter(|total| *total > 0).ok_or(ALLOWED)?;
    Ok(Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_token_is_accepted() {
        let environment = [("SOPHIE__AUTH__JWT_SECRET", "a secret of tests")];
        let settings = crate::settings::tests::load(&environment).unwrap().settings;
        let arguments = Arguments {
            user: "alice".into(),
            groups: Some(vec!["team-*".into()]),
            sessions: None,
            ttl: Duration::from_secs(60),
        };
        let token = mint(&settings, arguments).unwrap();
        let key = jsonwebtoken::DecodingKey::from_secret(b"a secret of tests");
        let claims =
            jwt::verify(&token, &key, jsonwebtoken::Algorithm::HS256, &jwt::Expected::default(), unix_now()).unwrap();
        assert_eq!((claims.sub.as_str(), claims.groups), ("alice", Some(vec!["team-*".to_owned()])));
        assert_eq!(claims.sessions, None);
        assert!(claims.exp <= unix_now() + 60);
    }

    #[test]
    fn times_to_live_are_read_with_their_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(duration("2d"), Ok(Duration::from_secs(172_800)));
        for bad in ["", "1", "h", "-1h", "0s", "1é", "99999999999999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
