//! What the application says of a caller, and the form in which that is kept for a while.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use sophie_actors::ids::{SessionId, UserId};
use sophie_actors::rights::Issued;

use super::patterns::Pattern;
use super::unix_now;

/// Characters of the longest context: what is more is cut. It goes with every question.
const MAX_CONTEXT_CHARS: usize = 8_000;
/// Sessions of one caller of which an answer is kept at once: more than anybody has tabs. Who has more is asked about more often.
const MAX_SESSIONS: usize = 32;

/// What the application says of a caller. Also the form of an entry of the cache, where `expires_at` stands for `expires_in`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Who it is.
    #[serde(deserialize_with = "user")]
    pub user: String,
    /// Patterns of groups that may be joined; none: home groups only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// Patterns of sessions that may be used; none: any that nobody else owns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Vec<String>>,
    /// What the model is told of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Seconds from the answer on that it holds.
    #[serde(default, skip_serializing)]
    expires_in: Option<u64>,
    /// When it ends, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// When the application said so, in Unix seconds. Only kept ones have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said_at: Option<u64>,
    /// Until when it is kept, in Unix seconds; without it as long as its entry is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept_until: Option<u64>,
}

/// A user is a text, or a number as Django's primary keys are.
fn user<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum User {
        Text(String),
        Number(u64),
    }
    let user = match User::deserialize(from)? {
        User::Text(text) => text,
        User::Number(number) => number.to_string(),
    };
    UserId::parse(&user).map_err(serde::de::Error::custom)?;
    Ok(user)
}

impl Grant {
    /// Reads an answer of the application.
    pub fn read(json: &[u8]) -> Result<Self, String> {
        let mut grant: Self =
            serde_json::from_slice(json).map_err(|error| format!("not the JSON it must be: {error}"))?;
        grant.settle();
        // Those two are ours to say.
        (grant.said_at, grant.kept_until) = (None, None);
        Ok(grant)
    }

    /// Gives it its end as a point in time, and its context a length that a model can be told.
    fn settle(&mut self) {
        if let Some(seconds) = self.expires_in.take() {
            self.expires_at = Some(unix_now().saturating_add(seconds));
        }
        if let Some((cut, _)) = self.context.as_deref().and_then(|text| text.char_indices().nth(MAX_CONTEXT_CHARS)) {
            log::warn!(
                event = "hook_context_cut", user = self.user, limit_chars = MAX_CONTEXT_CHARS;
                "what the application said of a user was too long for the assistant and is cut"
            );
            self.context.as_mut().into_iter().for_each(|text| text.truncate(cut));
        }
    }

    /// How new its rights are: as it came just now, or as when the application said so. One that the application itself has
    /// put into the cache is as new as it is found.
    pub fn issued(&self) -> Issued {
        self.said_at.map_or_else(|| Issued::Now(unix_now()), Issued::Again)
    }

    /// When it is over, or no longer kept.
    fn until(&self) -> u64 {
        self.expires_at.unwrap_or(u64::MAX).min(self.kept_until.unwrap_or(u64::MAX))
    }

    /// Whether it counts for a session where it stands as it is.
    fn counts_for(&self, session: &SessionId) -> bool {
        self.sessions.is_none() || self.names(session)
    }

    /// Whether it names a session.
    fn names(&self, session: &SessionId) -> bool {
        self.sessions.iter().flatten().any(|text| Pattern::from(text.as_str()).matches(session.as_str()))
    }
}

/// The entry of a caller's credentials in the general cache: an answer that names `sessions` as it is, which counts for those; and
/// the others by the session that each was asked for, and counts for alone. What stands there as it is and names none was put there by
/// the application itself, which means all of its caller's sessions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GrantEntry {
    #[serde(flatten)]
    naming: Option<Grant>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    asked: BTreeMap<String, Grant>,
}

impl GrantEntry {
    /// Reads an entry. The application may have written it itself: what is no answer is none.
    pub fn read(entry: serde_json::Value) -> Self {
        let mut kept: Self = serde_json::from_value(entry).unwrap_or_default();
        kept.naming.iter_mut().chain(kept.asked.values_mut()).for_each(Grant::settle);
        let now = unix_now();
        kept.naming = kept.naming.filter(|grant| grant.until() > now);
        kept.asked.retain(|_, grant| grant.until() > now);
        kept
    }

    /// The answer that counts for a session.
    pub fn grant_of(&self, session: &SessionId) -> Option<&Grant> {
        self.asked.get(session.as_str()).or_else(|| self.naming.as_ref().filter(|grant| grant.counts_for(session)))
    }

    /// Takes an answer in that was given about a session just now, to be kept for at most so many seconds.
    pub fn take_in(&mut self, session: &SessionId, grant: &Grant, seconds: u64) {
        let now = unix_now();
        let until = Some(now.saturating_add(seconds));
        let grant = Grant { said_at: Some(now), kept_until: until, ..grant.clone() };
        self.asked.remove(session.as_str());
        if grant.names(session) {
            self.naming = Some(grant);
            return;
        }
        if self.asked.len() >= MAX_SESSIONS
            && let Some(oldest) = self.asked.iter().min_by_key(|(_, grant)| grant.until()).map(|(name, _)| name.clone())
        {
            self.asked.remove(&oldest);
        }
        self.asked.insert(session.to_string(), grant);
    }

    /// Forgets what counts for a session, or all if the application does not know the caller at all.
    pub fn forget(&mut self, session: &SessionId, everything: bool) {
        self.asked.remove(session.as_str());
        if everything {
            self.asked.clear();
        }
        if everything || self.naming.as_ref().is_some_and(|grant| grant.counts_for(session)) {
            self.naming = None;
        }
    }

    /// Seconds for which there is something to keep.
    pub fn seconds_left(&self) -> u64 {
        let last = self.naming.iter().chain(self.asked.values()).map(Grant::until).max();
        last.map_or(0, |until| until.saturating_sub(unix_now()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn session(name: &str) -> SessionId {
        SessionId::parse(name).unwrap()
    }

    #[test]
    fn answers_are_read_as_django_writes_them() {
        let grant = |json: &str| Grant::read(json.as_bytes());
        assert_eq!(grant(r#"{"user": 7}"#).unwrap().user, "7");
        let full = grant(r#"{"user":"a","groups":["team-*"],"sessions":[],"context":"c","expires_in":60,"more":1}"#);
        let full = full.unwrap();
        assert_eq!((full.groups, full.sessions), (Some(vec!["team-*".to_owned()]), Some(vec![])));
        assert!(full.expires_at.is_some_and(|at| at >= unix_now() + 59));
        for wrong in
            ["", "[]", "{}", r#"{"user":""}"#, r#"{"user":"a\nb"}"#, r#"{"user":null}"#, r#"{"user":"a","groups":"x"}"#]
        {
            assert!(grant(wrong).is_err(), "{wrong}");
        }
        assert!(grant(&format!(r#"{{"user":"{}"}}"#, "u".repeat(257))).is_err());
        let bold = grant(r#"{"user":"a","said_at":1,"kept_until":99999999999}"#).unwrap();
        assert_eq!((bold.said_at, bold.kept_until), (None, None));
    }

    #[test]
    fn a_long_context_is_cut_between_characters() {
        let json = json!({"user": "a", "context": "ä".repeat(MAX_CONTEXT_CHARS + 1)}).to_string();
        let grant = Grant::read(json.as_bytes()).unwrap();
        assert_eq!(grant.context.map(|text| text.chars().count()), Some(MAX_CONTEXT_CHARS));
    }

    #[test]
    fn an_answer_counts_for_the_session_it_was_asked_for_or_those_that_it_names() {
        let plain = Grant::read(br#"{"user":"a","expires_in":60}"#).unwrap();
        let naming = Grant::read(br#"{"user":"b","sessions":["own*"]}"#).unwrap();
        let mut kept = GrantEntry::default();
        kept.take_in(&session("s1"), &plain, 300);
        kept.take_in(&session("own1"), &naming, 300);
        let entry = json!(kept);
        assert!(entry["asked"]["s1"].get("expires_in").is_none() && entry["asked"]["s1"]["expires_at"].is_u64());
        let kept = GrantEntry::read(entry);
        let user = |kept: &GrantEntry, name: &str| kept.grant_of(&session(name)).map(|grant| grant.user.clone());
        assert_eq!(user(&kept, "s1").as_deref(), Some("a"));
        assert_eq!(user(&kept, "own7").as_deref(), Some("b"));
        assert_eq!(user(&kept, "s2"), None, "nobody was asked about it");
        assert!((299..=300).contains(&kept.seconds_left()));
        let mut left = kept.clone();
        left.forget(&session("own3"), false);
        assert_eq!((user(&left, "own7"), user(&left, "s1").is_some()), (None, true));
        left.forget(&session("s9"), true);
        assert_eq!((user(&left, "s1"), left.seconds_left()), (None, 0));
        // What the application has put there itself.
        let written = GrantEntry::read(json!({"user": "a", "groups": ["*"]}));
        assert_eq!(user(&written, "s1").as_deref(), Some("a"));
        let written = GrantEntry::read(json!({"user": "a", "sessions": ["s1"]}));
        assert_eq!(user(&written, "s1").as_deref(), Some("a"));
        assert!(matches!(written.grant_of(&session("s1")).map(Grant::issued), Some(Issued::Now(_))));
    }

    #[test]
    fn what_is_over_or_no_answer_is_not_kept_and_there_is_a_bound() {
        for junk in [json!(5), json!([]), json!({"user": ""}), json!({"user": "a", "sessions": ["*"], "expires_at": 1})]
        {
            assert_eq!(GrantEntry::read(junk.clone()), GrantEntry::default(), "{junk}");
        }
        let grant = Grant::read(br#"{"user":"a"}"#).unwrap();
        let mut kept = GrantEntry::default();
        for n in 0..100 {
            kept.take_in(&session(&format!("s{n}")), &grant, 300 + n);
        }
        assert_eq!(kept.asked.len(), MAX_SESSIONS);
        assert!(kept.grant_of(&session("s99")).is_some());
    }
}
