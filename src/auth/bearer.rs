//! Bearer secrets that are not tokens: the operators' two tokens and the API keys of back ends. Compared in constant time.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use sophie_actors::admission::Application;
use sophie_actors::ids::{hex, random_text};
use subtle::{Choice, ConstantTimeEq};

use super::patterns::Pattern;
use crate::settings::Settings;
use crate::settings::listed_key::ListedKey;

/// Characters of a made-up admin token: 36^40 possibilities are more than 200 bits.
const TOKEN_CHARS: usize = 40;

/// What an operator may do, by the token that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Everything.
    Admin,
    /// Look.
    View,
}

impl Operator {
    /// As the audit names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::View => "view",
        }
    }
}

/// The operators' tokens.
pub struct Operators {
    /// With which everything may be done.
    pub admin: Arc<AdminToken>,
    view: Option<[u8; 32]>,
}

impl Operators {
    /// This admin token, and the token to look with that the settings have, if they have one.
    pub fn from(settings: &Settings, admin: Arc<AdminToken>) -> Self {
        let view = &settings.admin.view_token;
        Self { admin, view: (!view.is_empty()).then(|| digest(view.expose())) }
    }

    /// Whose token this is. Both are looked at, so that time tells nothing.
    pub fn who(&self, given: &str) -> Option<Operator> {
        let is_admin = self.admin.accepts(given);
        let is_view = self.view.as_ref().is_some_and(|view| bool::from(view.ct_eq(&digest(given))));
        match (is_admin, is_view) {
            (true, _) => Some(Operator::Admin),
            (_, true) => Some(Operator::View),
            _ => None,
        }
    }
}

/// The admin token, as it was set or made up at start.
pub struct AdminToken {
    digest: [u8; 32],
    generated: Option<String>,
}

impl AdminToken {
    /// The token of the settings, or a random one if none is set.
    pub fn from(settings: &Settings) -> Self {
        let set = &settings.admin.token;
        if set.is_empty() {
            let token = random_text(TOKEN_CHARS);
            Self { digest: digest(&token), generated: Some(token) }
        } else {
            Self { digest: digest(set.expose()), generated: None }
        }
    }

    /// The token that was made up, to be logged once.
    pub fn generated(&self) -> Option<&str> {
        self.generated.as_deref()
    }

    /// Whether this is the token.
    pub fn accepts(&self, given: &str) -> bool {
        bool::from(self.digest.ct_eq(&digest(given)))
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(***)")
    }
}

/// Hex digits of a key's digest that name it where it has no name: enough to tell any two, too few to say anything of the key.
const NAME_DIGITS: usize = 12;

/// Whom an API key lets in.
#[derive(Debug, Clone)]
pub struct KeyHolder {
    /// The key's name, for limits, costs and people; of one without, the first digits of its digest.
    pub name: String,
    /// SHA-256 of the secret in hex, by which what was answered to its holder is kept: under the same name, or in the same place of the
    /// list, there may be another key after a restart. Empty where no key is needed.
    pub digest: String,
    /// Which models; nothing: all.
    models: Option<Vec<Pattern>>,
    requests_per_minute: Option<u64>,
    tokens_per_hour: Option<u64>,
}

impl KeyHolder {
    /// One who may ask every model, within the limits of a user.
    fn free(name: String, digest: String) -> Self {
        Self { name, digest, models: None, requests_per_minute: None, tokens_per_hour: None }
    }

    /// Whether some models may not be asked.
    pub fn is_restricted(&self) -> bool {
        self.models.is_some()
    }

    /// Whether this model may be asked.
    pub fn may_use(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.iter().any(|pattern| pattern.matches(model)))
    }

    /// Within which its once-only keys are told apart from others': by its digest, as an operator's are called by what they are.
    pub fn once_scope(&self) -> &str {
        if self.digest.is_empty() { &self.name } else { &self.digest }
    }

    /// As the limits know it.
    pub fn application(&self) -> Application {
        Application {
            name: self.name.clone(),
            requests_per_minute: self.requests_per_minute,
            tokens_per_hour: self.tokens_per_hour,
        }
    }
}

/// The API keys of the settings.
pub struct ApiKeys {
    keys: Vec<(Arc<KeyHolder>, [u8; 32])>,
    anybody: Arc<KeyHolder>,
}

impl ApiKeys {
    /// The keys of the settings.
    pub fn from(settings: &Settings) -> Self {
        let keys = settings.auth.api_keys.iter().filter_map(|text| ListedKey::parse(text.expose()));
        let named = keys.map(|api| {
            let digest = digest(api.key.expose());
            let hex = hex(digest);
            let name = if api.name.is_empty() { hex[..NAME_DIGITS].to_owned() } else { api.name };
            (Arc::new(KeyHolder::free(name, hex)), digest)
        });
        let tables = settings.auth.key.iter().map(|table| {
            let digest = digest(table.key.expose());
            let every = table.models.iter().any(|model| model == "*");
            let models = || table.models.iter().map(|model| Pattern::from(model.as_str())).collect();
            let holder = KeyHolder {
                name: table.name.clone(),
                digest: hex(digest),
                models: (!every).then(models),
                requests_per_minute: table.requests_per_minute,
                tokens_per_hour: table.tokens_per_hour,
            };
            (Arc::new(holder), digest)
        });
        Self {
            keys: named.chain(tables).collect(),
            anybody: Arc::new(KeyHolder::free("application".into(), String::new())),
        }
    }

    /// Whether no key is configured.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Who comes in where no key is needed.
    pub fn anybody(&self) -> &Arc<KeyHolder> {
        &self.anybody
    }

    /// The holder of the key of this digest.
    pub fn of_digest(&self, digest: &str) -> Option<&Arc<KeyHolder>> {
        self.keys.iter().map(|(holder, _)| holder).find(|holder| holder.digest == digest)
    }

    /// The holder of the key of this name.
    pub fn named(&self, name: &str) -> Option<&Arc<KeyHolder>> {
        self.keys.iter().map(|(holder, _)| holder).find(|holder| holder.name == name)
    }

    /// Whom the key that was given lets in, if it is one. Every key is looked at, so that time tells nothing.
    pub fn holder_of(&self, given: &str) -> Option<&Arc<KeyHolder>> {
        let given = digest(given);
        self.keys.iter().fold(None, |found, (holder, key)| {
            let same: Choice = key.ct_eq(&given);
            if bool::from(same) { Some(holder) } else { found }
        })
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(holder, _)| &holder.name)).finish()
    }
}

/// Digests have one length, so that comparing them does not tell the secret's.
fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::load;

    #[test]
    fn an_admin_token_is_the_set_one_or_a_long_random_one() {
        let set = AdminToken::from(&load(&[("SOPHIE__ADMIN__TOKEN", "s3cret")]).unwrap().settings);
        assert!(set.accepts("s3cret"));
        assert!(!set.accepts("s3cre") && !set.accepts("") && !set.accepts("s3crets"));
        assert_eq!(set.generated(), None);
        let settings = load(&[]).unwrap().settings;
        let (one, two) = (AdminToken::from(&settings), AdminToken::from(&settings));
        let token = one.generated().unwrap();
        assert!(token.len() >= 32 && one.accepts(token) && !two.accepts(token) && !one.accepts(""));
        assert!(!format!("{one:?}").contains(token));
    }

    #[test]
    fn a_token_to_look_with_is_none_to_act_with_and_an_empty_one_is_nobodys() {
        let of = |environment: &[(&str, &str)]| {
            let settings = load(environment).unwrap().settings;
            Operators::from(&settings, Arc::new(AdminToken::from(&settings)))
        };
        let both = of(&[("SOPHIE__ADMIN__TOKEN", "s3cret"), ("SOPHIE__ADMIN__VIEW_TOKEN", "l00k")]);
        let who = ["s3cret", "l00k", "", "l00ks"].map(|token| both.who(token));
        assert_eq!(who, [Some(Operator::Admin), Some(Operator::View), None, None]);
        assert_eq!(of(&[("SOPHIE__ADMIN__TOKEN", "s3cret")]).who(""), None);
    }

    #[test]
    fn api_keys_are_known_by_name() {
        let keys = ApiKeys::from(&load(&[("SOPHIE__AUTH__API_KEYS", "plain,shop:k:2,shop2:k3")]).unwrap().settings);
        let name_of = |key: &str| keys.holder_of(key).map(|holder| holder.name.as_str());
        // The first digits of the SHA-256 of `plain`.
        assert_eq!(name_of("plain"), Some("a116c9ed46d6"));
        assert_eq!(name_of("k:2"), Some("shop"));
        assert_eq!(name_of("k3"), Some("shop2"));
        assert_eq!(name_of("shop:k:2"), None);
        assert_eq!(name_of(""), None);
        assert!(ApiKeys::from(&load(&[]).unwrap().settings).is_empty());
        assert!(!format!("{keys:?}").contains("k3"));
    }

    #[test]
    fn a_key_is_known_by_what_it_is_wherever_it_stands() {
        let of = |keys: &str, key: &str| {
            let keys = ApiKeys::from(&load(&[("SOPHIE__AUTH__API_KEYS", keys)]).unwrap().settings);
            keys.holder_of(key).map(|holder| (holder.name.clone(), holder.digest.clone())).unwrap()
        };
        assert_eq!(of("A,B", "B"), of("B,C", "B"));
        assert_ne!(of("A,B", "A"), of("B,C", "B"));
        let (one, other) = (of("shop:A", "A"), of("shop:B", "B"));
        assert!(one.0 == other.0 && one.1 != other.1 && one.1 == of("A", "A").1);
    }

    #[test]
    fn a_key_of_a_table_has_its_own_models() {
        let tables = r#"[{"name": "shop", "key": "k1", "models": ["gpt-*", "tiny"], "tokens_per_hour": 9}]"#;
        let environment = [("SOPHIE__AUTH__KEY", tables), ("SOPHIE__AUTH__API_KEYS", "k2")];
        let keys = ApiKeys::from(&load(&environment).unwrap().settings);
        let shop = keys.holder_of("k1").unwrap();
        assert_eq!(["gpt-4o", "tiny", "tiny2", "o1"].map(|model| shop.may_use(model)), [true, true, false, false]);
        let limits = Application { name: "shop".into(), requests_per_minute: None, tokens_per_hour: Some(9) };
        assert_eq!(shop.application(), limits);
        let free = keys.holder_of("k2").unwrap();
        assert!(free.may_use("o1") && !free.is_restricted() && shop.is_restricted());
    }

    #[test]
    fn a_key_that_is_empty_is_none() {
        assert!(ListedKey::parse("").is_none());
        assert!(ListedKey::parse("shop:").is_none());
        assert!(ListedKey::parse("a b").is_none());
    }
}
