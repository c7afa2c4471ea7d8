//! Who comes in, by each mode, and what they may do then.

use sophie_actors::ids::{GroupName, SessionId};
use sophie_actors::metrics::Metrics;
use sophie_actors::store::memory;
use sophie_kit::stores::memory_options;

use super::hook::CallerHeaders;
use super::jwt::{self, Claims};
use super::*;
use crate::settings::Settings;
use crate::settings::tests::load;

/// An authenticator that keeps what it learns in memory.
pub fn authenticator(settings: &Settings) -> Authenticator {
    Authenticator::from(settings, memory::stores(memory_options()).general, Metrics::new()).unwrap()
}

fn session(name: &str) -> SessionId {
    SessionId::parse(name).unwrap()
}

fn group(name: &str) -> GroupName {
    GroupName::parse(name).unwrap()
}

async fn ask(environment: &[(&str, &str)], token: Option<&str>) -> Result<Identity, AuthError> {
    let authenticator = authenticator(&load(environment).unwrap().settings);
    let (token, address) = (token.map(str::to_owned), "127.0.0.1".parse().unwrap());
    let headers = CallerHeaders::default();
    authenticator.authenticate(Credentials { token, session: session("s1"), address, headers }, Freshness::Kept).await
}

const JWT: &[(&str, &str)] = &[("SOPHIE__AUTH__MODE", "jwt"), ("SOPHIE__AUTH__JWT_SECRET", "a secret of tests")];

fn token(groups: Option<&[&str]>, sessions: Option<&[&str]>) -> String {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    let claims = Claims {
        sub: "alice".into(),
        exp: unix_now() + 60,
        iat: None,
        groups: groups.map(texts),
        sessions: sessions.map(texts),
    };
    jwt::mint("a secret of tests", &claims).unwrap()
}

#[tokio::test]
async fn without_accounts_everyone_is_the_guest_of_their_session() {
    let guest = ask(&[], None).await.unwrap();
    assert_eq!(guest.user.as_str(), "guest:s1");
    assert_eq!(guest.expires_at, None);
    assert_eq!(guest.session_rule(&session("s1")), SessionRule::Allowed);
    assert!(guest.may_join(&group("team-7"), &session("s1")));
    assert!(guest.may_join(&group("chat_s1"), &session("s1")));
    assert!(!guest.may_join(&group("chat_s2"), &session("s1")));
}

#[tokio::test]
async fn a_token_says_who_and_what() {
    let alice = ask(JWT, Some(&token(Some(&["team-*", "chat_s9"]), Some(&["s?"])))).await.unwrap();
    assert_eq!(alice.user.as_str(), "alice");
    assert!(alice.expires_at.unwrap() > unix_now());
    assert!(alice.may_join(&group("team-7"), &session("s1")));
    assert!(alice.may_join(&group("chat_s1"), &session("s1")));
    assert!(alice.may_join(&group("chat_s9"), &session("s1")), "the token says so");
    assert!(!alice.may_join(&group("chat_s2"), &session("s1")));
    assert!(!alice.may_join(&group("other"), &session("s1")));
    let all = ask(JWT, Some(&token(Some(&["*"]), None))).await.unwrap();
    assert!(all.may_join(&group("other"), &session("s1")));
    assert!(!all.may_join(&group("chat_s9"), &session("s1")), "a star opens no home group");
    assert_eq!(alice.session_rule(&session("s1")), SessionRule::Allowed);
    assert_eq!(alice.session_rule(&session("s10")), SessionRule::Refused);
}

#[tokio::test]
async fn a_token_without_patterns_gives_home_groups_and_unowned_sessions() {
    let alice = ask(JWT, Some(&token(None, None))).await.unwrap();
    assert!(alice.may_join(&group("chat_s1"), &session("s1")));
    assert!(!alice.may_join(&group("team-7"), &session("s1")));
    assert_eq!(alice.session_rule(&session("s1")), SessionRule::IfUnowned);
    let nobody = ask(JWT, Some(&token(Some(&[]), Some(&[])))).await.unwrap();
    assert_eq!(nobody.session_rule(&session("s1")), SessionRule::Refused);
}

#[tokio::test]
async fn no_token_and_a_foreign_token_are_refused() {
    assert_eq!(ask(JWT, None).await, Err(AuthError::Missing));
    assert_eq!(ask(JWT, Some("")).await, Err(AuthError::Missing));
    assert!(matches!(ask(JWT, Some("rubbish")).await, Err(AuthError::Invalid(_))));
    let claims = Claims { sub: "a".into(), exp: unix_now() + 60, iat: None, groups: None, sessions: None };
    let foreign = jwt::mint("another secret", &claims).unwrap();
    assert!(matches!(ask(JWT, Some(&foreign)).await, Err(AuthError::Invalid(_))));
}
